// Every address of the console: our own pages, plugins' pages, and what stands where there is none.
import { lazy, Suspense, useMemo, type ReactElement, type ReactNode } from "react";
import { Link, Route, Routes, useLocation } from "react-router";
import { useApi } from "../ui/api";
import type { DeclaredWire } from "../ui/blocks";
import { DeclaredPage } from "../ui/declared";
import { PageHeader, usePageTitle } from "../ui/layout";
import { usePortal, useSession, type PluginInfo, type PluginPage } from "../ui/session";
import { EmptyState, Loaded, Loading } from "../ui/states";
import { Home } from "../pages/Home";
import { ErrorBoundary } from "./ErrorBoundary";
import { FromModule } from "./modules";

const Health = lazy(async () => ({ default: (await import("../pages/Health")).Health }));
const Plugins = lazy(async () => ({ default: (await import("../pages/Plugins")).Plugins }));
const Settings = lazy(async () => ({ default: (await import("../pages/Settings")).Settings }));
const Audit = lazy(async () => ({ default: (await import("../pages/Audit")).Audit }));

const Account = lazy(async () => ({ default: (await import("../pages/Account")).Account }));

export function Pages(): ReactElement {
  const { boot } = usePortal();
  const session = useSession();
  const { pathname } = useLocation();
  const plugins = useMemo(() => boot.plugins.flatMap((plugin) => plugin.pages.map((p) => ({ plugin, page: p }))), [boot.plugins]);
  const own = (permission: string, element: ReactNode): ReactNode =>
    session.permissions.includes(permission) ? <Framed>{element}</Framed> : <Framed><Forbidden permission={permission} /></Framed>;
  return (
    <ErrorBoundary resetKey={pathname}>
      <Suspense fallback={<Framed><Loading rows={8} /></Framed>}>
        <Routes>
          <Route path="/" element={<Framed>{session.permissions.length ? <Home /> : <NoAccess />}</Framed>} />
          <Route path="/operate/health" element={own("core:health:read", <Health />)} />
          <Route path="/admin/plugins" element={own("core:plugin:read", <Plugins />)} />
          <Route path="/admin/settings" element={own("core:setting:read", <Settings />)} />
          <Route path="/admin/audit" element={own("core:audit:read", <Audit />)} />
          <Route path="/account" element={<Framed><Account /></Framed>} />
          {plugins.map(({ plugin, page: p }) => (
            <Route key={p.path} path={p.path} element={<PluginPageView plugin={plugin} page={p} />} />
          ))}
          <Route path="*" element={<Framed><NotFound /></Framed>} />
        </Routes>
      </Suspense>
    </ErrorBoundary>
  );
}

function Framed({ children }: { children: ReactNode }): ReactElement {
  return <div className="page">{children}</div>;
}

function PluginPageView({ plugin, page: p }: { plugin: PluginInfo; page: PluginPage }): ReactElement {
  const { boot } = usePortal();
  const section = boot.nav.find((n) => n.path === p.path)?.section;
  const crumbs = [section, plugin.title].filter((part) => part && part !== p.title).join(" / ");
  if (p.kind === "module") {
    const body = <FromModule plugin={plugin} kind="pages" name={p.export ?? ""} />;
    if (p.full_bleed)
      return (
        <div className="page-full">
          <HiddenTitle title={p.title} />
          {body}
        </div>
      );
    return (
      <Framed>
        <PageHeader title={p.title} crumbs={crumbs} subtitle={p.subtitle} />
        {body}
      </Framed>
    );
  }
  return (
    <Framed>
      <PageHeader title={p.title} crumbs={crumbs} subtitle={p.subtitle} />
      <ErrorBoundary resetKey={p.path}>
        <Declared path={`/api/pages/${plugin.id}/${p.id}`} />
      </ErrorBoundary>
    </Framed>
  );
}

/** The title of a page that uses the whole frame: told, and not drawn. */
function HiddenTitle({ title }: { title: string }): ReactElement {
  const heading = usePageTitle(title);
  return (
    <h1 ref={heading} tabIndex={-1} className="visually-hidden">
      {title}
    </h1>
  );
}

function Declared({ path }: { path: string }): ReactElement {
  const query = useApi<DeclaredWire>(path);
  return (
    <Loaded query={query} framed>
      {(wire) => <DeclaredPage page={wire} />}
    </Loaded>
  );
}

function NotFound(): ReactElement {
  return (
    <>
      <PageHeader title="There is no such page" />
      <section className="panel">
        <EmptyState title="Nothing is at this address" action={<Link to="/">Go to Home</Link>}>
          It may have moved, its plugin may be missing or quarantined, or it is not for your role.
        </EmptyState>
      </section>
    </>
  );
}

function Forbidden({ permission }: { permission: string }): ReactElement {
  return (
    <>
      <PageHeader title="Not for your role" />
      <section className="panel">
        <EmptyState title="This page needs a permission that you do not hold" action={<Link to="/">Go to Home</Link>}>
          Missing: <code>{permission}</code>. A platform admin can give you a role that holds it.
        </EmptyState>
      </section>
    </>
  );
}

function NoAccess(): ReactElement {
  const session = useSession();
  return (
    <>
      <PageHeader title="No access yet" />
      <section className="panel">
        <EmptyState title={`You are signed in as ${session.username}, and no role is bound to you`}>
          Ask a platform admin of this portal to bind a role to you or to one of your groups; then load this page again.
        </EmptyState>
      </section>
    </>
  );
}
