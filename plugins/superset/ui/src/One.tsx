// One dashboard or chart within the console: what it is, and itself, drawn by Superset in a frame of its own host.
import { Button, EmptyState, ErrorState, Icon, Link, Loading, Time, useApi, usePortal, useSearchParams } from "@openlakes/ui";
import { useState, type ReactElement } from "react";
import { framed, inShell, one, type Kind, type Thing } from "./client";
import "./superset.css";

export const OneDashboard = (): ReactElement => <One kind="dashboard" />;
export const OneChart = (): ReactElement => <One kind="chart" />;

/** All that Superset's page needs, and not to lead the console away. It is its own origin that keeps it apart. */
const MAY = "allow-scripts allow-same-origin allow-forms allow-modals allow-downloads allow-popups allow-popups-to-escape-sandbox";

function One({ kind }: { kind: Kind }): ReactElement {
  const [place] = useSearchParams();
  const id = place.get("id") ?? "";
  const found = useApi<Thing>(one(kind, id || "0"));
  if (found.isLoading) return <Loading rows={8} />;
  if (found.error) {
    return (
      <div className="page">
        <ErrorState error={found.error} retry={() => void found.refetch()} />
        <p>
          <Link to="/x/superset/dashboards">All dashboards</Link>
        </p>
      </div>
    );
  }
  return found.data ? <Framed key={id} thing={found.data} /> : <Loading rows={8} />;
}

function Framed({ thing }: { thing: Thing }): ReactElement {
  const { boot } = usePortal();
  const app = boot.apps.find((a) => a.id === "superset");
  const [loaded, setLoaded] = useState(false);
  return (
    <div className="page-full bi-one">
      <div className="bi-bar">
        <h2>{thing.title}</h2>
        <span className="small t2">{thing.owners.join(", ")}</span>
        {thing.changed_at ? (
          <span className="small t2">
            changed <Time at={thing.changed_at} />
          </span>
        ) : null}
        <span className="small t3" role="status">
          {loaded || !app ? "" : "Opening"}
        </span>
        <span className="grow" />
        <Button size="compact-xs" component={Link} to={inShell(thing.place)} leftSection={<Icon name="app" />}>
          Open in Superset
        </Button>
      </div>
      {app ? (
        <iframe className="bi-frame" title={thing.title} src={framed(app.address, thing.place)} sandbox={MAY} referrerPolicy="no-referrer" onLoad={() => setLoaded(true)} />
      ) : (
        <EmptyState title="Superset is not yet for you" action={<Link to="/app/superset">Ask for access</Link>}>
          You may know of this {thing.kind}, and not open Superset.
        </EmptyState>
      )}
    </div>
  );
}
