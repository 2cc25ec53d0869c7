import { useIsFetching } from "@tanstack/react-query";
import { useState, type ReactElement } from "react";
import { Link } from "react-router";
import { ActionDialog, type ActionInfo } from "../ui/actions";
import { useApi } from "../ui/api";
import type { DeclaredWire } from "../ui/blocks";
import { DeclaredPage } from "../ui/declared";
import { Icon } from "../ui/icons";
import { PageHeader, Panel } from "../ui/layout";
import { usePermission, usePortal, useSession, type PluginInfo, type PluginSlot } from "../ui/session";
import { EmptyState, Loaded } from "../ui/states";
import { Status } from "../ui/status";
import { ErrorBoundary } from "../shell/ErrorBoundary";
import { FromModule } from "../shell/modules";
import { useElapsed } from "../ui/time";
import { useComponents } from "./health";
import { Freshness, HealthPanel } from "./HealthPanel";

/** Home of a persona: is anything wrong, then what this person came for, then what can be started. */
export function Home(): ReactElement {
  const { boot } = usePortal();
  const session = useSession();
  const health = useComponents();
  const settled = useSettled(health.components !== null);
  const admin = usePermission("core:plugin:read");
  const cards = boot.plugins
    .flatMap((plugin) => plugin.slots.filter((s) => s.slot === "home.cards").map((slot) => ({ plugin, slot })))
    .sort((a, b) => a.slot.order - b.slot.order);
  const persona = boot.auth.personas.find((p) => session.roles.includes(p.id))?.title ?? session.roles.join(", ");
  return (
    <>
      <PageHeader
        title="Home"
        crumbs={`${boot.site.environment.name}, ${persona.toLowerCase()}`}
        actions={
          <>
            <Freshness stream={health.stream} />
            <MainLink />
          </>
        }
      />
      <HealthPanel health={health} all />
      {/* What comes below waits for what is above, so that nothing moves under the pointer; not for long. */}
      <div className="cols" hidden={!settled}>
        <div className="stack">
          {admin ? <PluginTrouble /> : null}
          {cards.map(({ plugin, slot }) => (
            <Card key={`${plugin.id}.${slot.id}`} plugin={plugin} slot={slot} />
          ))}
          {cards.length === 0 && !admin ? (
            <Panel title="Your work">
              <EmptyState title="Nothing of yours is here yet">
                {session.roles.includes("viewer")
                  ? "Your role sees the state of the platform. A platform admin can give you more."
                  : "Plugins put what you work on here: recent queries, pipelines, tests. Start with a page on the left."}
              </EmptyState>
            </Panel>
          ) : null}
        </div>
        <Start />
      </div>
    </>
  );
}

/** Once the first answers of a page are there, or it took too long: until then its parts would push each other about. */
function useSettled(ready: boolean): boolean {
  const [was, setWas] = useState(false);
  const asking = useIsFetching() > 0;
  const begun = useElapsed(200);
  const late = useElapsed(1000);
  const is = was || late || (ready && begun && !asking);
  if (is && !was) setWas(true);
  return is;
}

/** The page that this persona opens most. */
function MainLink(): ReactElement | null {
  const { boot } = usePortal();
  const main = boot.nav.find((n) => n.section === "Model") ?? boot.nav.find((n) => n.section === "Admin");
  if (!main) return null;
  return (
    <Link to={main.path} className="button-primary">
      <Icon name={main.icon} />
      Open {main.label}
    </Link>
  );
}

function Card({ plugin, slot }: { plugin: PluginInfo; slot: PluginSlot }): ReactElement {
  return (
    <ErrorBoundary resetKey={slot.id}>
      {slot.kind === "module" ? (
        <Panel title={slot.title}>
          <FromModule plugin={plugin} kind="slots" name={slot.export ?? ""} />
        </Panel>
      ) : (
        <DeclaredCard title={slot.title} path={`/api/slots/${plugin.id}/${slot.id}`} />
      )}
    </ErrorBoundary>
  );
}

/** A card of blocks. One block with a panel of its own is the card: no card stands inside a card. */
function DeclaredCard({ title, path }: { title: string; path: string }): ReactElement {
  const query = useApi<DeclaredWire>(path);
  const [only, ...more] = query.data?.body ?? [];
  if (query.data && only && more.length === 0 && "title" in only)
    return <DeclaredPage page={{ ...query.data, body: [{ ...only, title }] }} />;
  return (
    <Panel title={title}>
      <Loaded query={query}>{(wire) => <DeclaredPage page={wire} />}</Loaded>
    </Panel>
  );
}

/** For who looks after the portal: plugins that are not used, with the reason. */
function PluginTrouble(): ReactElement {
  const plugins = useApi<{ items: { id: string; title: string; version: string; state: string; reason: string | null; description: string }[] }>("/api/plugins");
  const items = plugins.data?.items ?? [];
  const broken = items.filter((p) => p.state === "quarantined");
  return (
    <Panel title="Plugins" badge={plugins.data ? `${items.length}` : undefined} actions={<Link className="small" to="/admin/plugins">All plugins</Link>}>
      <div className="list">
        {(broken.length ? broken : items).slice(0, 6).map((p) => (
          <div key={p.id}>
            <Icon name="plug" />
            <span className="b">{p.title}</span>
            <span className="tag">{p.version}</span>
            <span className="grow t2 only-l">{p.reason ?? p.description}</span>
            <span className="grow only-s" />
            <Status state={p.state} />
          </div>
        ))}
        {plugins.data && items.length === 0 ? <p className="t2">No plugins are installed: pip install one beside the portal.</p> : null}
      </div>
    </Panel>
  );
}

/** What can be started: quick actions that are there for this person, and the pages of the journey. */
function Start(): ReactElement {
  const { boot } = usePortal();
  const actions = useApi<{ items: ActionInfo[] }>("/api/actions");
  const [open, setOpen] = useState<ActionInfo | null>(null);
  const quick = (actions.data?.items ?? []).filter((a) => a.quick);
  const pages = boot.nav.filter((n) => n.path !== "/").slice(0, 6);
  return (
    <Panel title="Start">
      <div className="list">
        {quick.map((action) => (
          <button type="button" key={action.id} onClick={() => setOpen(action)}>
            <Icon name={action.icon} />
            {action.title}
          </button>
        ))}
        {pages.map((n) => (
          <Link key={n.id} to={n.path}>
            <Icon name={n.icon} />
            Open {n.label}
          </Link>
        ))}
      </div>
      {open ? <ActionDialog action={open} onClose={() => setOpen(null)} /> : null}
    </Panel>
  );
}
