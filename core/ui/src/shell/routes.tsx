// Every address of the console: our own pages, plugins' pages, and what stands where there is none.
import { lazy, Suspense, useMemo, type ComponentType, type ReactElement, type ReactNode } from "react";
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

/** Our own pages, each fetched when it is opened. `permission` null: for everybody who is signed in. */
const OWN: { path: string; title: string; permission: string | null; body: ComponentType }[] = [
  { path: "/operate/health", title: "Health", permission: "core:health:read", body: lazy(async () => ({ default: (await import("../pages/Health")).Health })) },
  { path: "/admin/plugins", title: "Plugins", permission: "core:plugin:read", body: lazy(async () => ({ default: (await import("../pages/Plugins")).Plugins })) },
  { path: "/admin/settings", title: "Settings", permission: "core:setting:read", body: lazy(async () => ({ default: (await import("../pages/Settings")).Settings })) },
  { path: "/admin/audit", title: "Audit", permission: "core:audit:read", body: lazy(async () => ({ default: (await import("../pages/Audit")).Audit })) },
  { path: "/account", title: "My account", permission: null, body: lazy(async () => ({ default: (await import("../pages/Account")).Account })) },
  { path: "/signout", title: "Sign out", permission: null, body: lazy(async () => ({ default: (await import("../pages/SignOut")).SignOut })) },
  { path: "/admin/requests", title: "Access requests", permission: null, body: lazy(async () => ({ default: (await import("../pages/Requests")).Requests })) },
  { path: "/admin/users", title: "Users", permission: "core:access:read", body: lazy(async () => ({ default: (await import("../pages/Users")).Users })) },
  { path: "/admin/users/:username", title: "Users", permission: "core:access:read", body: lazy(async () => ({ default: (await import("../pages/Users")).Users })) },
  { path: "/admin/groups", title: "Groups", permission: "core:access:read", body: lazy(async () => ({ default: (await import("../pages/Groups")).Groups })) },
  { path: "/admin/roles", title: "Roles", permission: "core:access:read", body: lazy(async () => ({ default: (await import("../pages/Roles")).Roles })) },
  { path: "/admin/roles/:role", title: "Roles", permission: "core:access:read", body: lazy(async () => ({ default: (await import("../pages/Roles")).Roles })) },
  { path: "/admin/bindings", title: "Bindings", permission: "core:access:read", body: lazy(async () => ({ default: (await import("../pages/Bindings")).Bindings })) },
  { path: "/admin/matrix", title: "Who can do what", permission: "core:access:read", body: lazy(async () => ({ default: (await import("../pages/Matrix")).Matrix })) },
  { path: "/admin/service-accounts", title: "Service accounts", permission: "core:service-account:manage", body: lazy(async () => ({ default: (await import("../pages/ServiceAccounts")).ServiceAccounts })) },
  { path: "/admin/service-accounts/:name", title: "Service accounts", permission: "core:service-account:manage", body: lazy(async () => ({ default: (await import("../pages/ServiceAccounts")).ServiceAccounts })) },
  { path: "/admin/explain", title: "Explain access", permission: "core:access:read", body: lazy(async () => ({ default: (await import("../pages/Explain")).Explain })) },
  { path: "/admin/sessions", title: "Sessions", permission: "core:session:manage", body: lazy(async () => ({ default: (await import("../pages/Sessions")).Sessions })) },
  { path: "/admin/tokens", title: "API tokens", permission: "core:token:manage", body: lazy(async () => ({ default: (await import("../pages/Tokens")).Tokens })) },
];
const AppFrame = lazy(async () => ({ default: (await import("./AppFrame")).AppFrame }));
const NoAccess = lazy(async () => ({ default: (await import("../pages/NoAccess")).NoAccess }));

export function Pages(): ReactElement {
  const { boot } = usePortal();
  const session = useSession();
  const { pathname } = useLocation();
  const plugins = useMemo(() => boot.plugins.flatMap((plugin) => plugin.pages.map((p) => ({ plugin, page: p }))), [boot.plugins]);
  const nobody = session.permissions.length === 0;
  return (
    <ErrorBoundary resetKey={pathname}>
      <Suspense fallback={<Framed><Loading rows={8} /></Framed>}>
        <Routes>
          <Route path="/" element={<Framed>{nobody ? <NoAccess /> : <Home />}</Framed>} />
          {OWN.map(({ path, title, permission, body: Body }) => (
            <Route
              key={path}
              path={path}
              element={<Framed>{permission === null || session.permissions.includes(permission) ? <Body /> : <Locked title={title} permission={permission} />}</Framed>}
            />
          ))}
          {plugins.map(({ plugin, page: p }) => (
            <Route key={p.path} path={p.path} element={<PluginPageView plugin={plugin} page={p} />} />
          ))}
          <Route path="/app/:id/*" element={<AppFrame />} />
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

/** Nothing for this person: a page that they may not open, where there is one, else nothing at all. */
function NotFound(): ReactElement {
  const { pathname } = useLocation();
  const page = useApi<{ title: string; permission: string | null }>(pathname.startsWith("/x/") ? `/api/access/page?path=${encodeURIComponent(pathname)}` : null);
  if (page.isLoading) return <Loading rows={4} />;
  if (page.data?.permission) return <Locked title={page.data.title} permission={page.data.permission} />;
  return (
    <>
      <PageHeader title="There is no such page" />
      <section className="panel">
        <EmptyState title="Nothing is at this address" action={<Link to="/">Go to Home</Link>}>
          It may have moved, or its plugin may be missing or quarantined.
        </EmptyState>
      </section>
    </>
  );
}

/** A page of a permission that this person does not hold: which one, why, and the way to ask for it. */
function Locked({ title, permission }: { title: string; permission: string }): ReactElement {
  return (
    <>
      <PageHeader title={`${title}: not yet for you`} />
      <section className="panel">
        <EmptyState title={`${title} needs a permission that you do not hold`} missing={{ permission }} action={<Link to="/">Go to Home</Link>} />
      </section>
    </>
  );
}
