// A real system's own pages within the console: in a frame of their own host, at the place that the address names.
import { Button } from "@mantine/core";
import { useState, type ReactElement, type SyntheticEvent } from "react";
import { Link, useLocation, useNavigate, useParams } from "react-router";
import { AskForAccess } from "../ui/access";
import { useApi } from "../ui/api";
import { Icon } from "../ui/icons";
import { PageHeader, usePageTitle } from "../ui/layout";
import { usePortal, type AppInfo } from "../ui/session";
import { EmptyState, Loading } from "../ui/states";
import "./app-frame.css";

export function AppFrame(): ReactElement {
  const { id = "" } = useParams();
  const { boot } = usePortal();
  const app = boot.apps.find((a) => a.id === id);
  return app ? <Framed key={app.id} app={app} /> : <NotYours id={id} />;
}

/** Where in the app an address of the console leads: what stands behind `/app/<id>`, with its query and its anchor. */
export function placeIn(app: AppInfo, pathname: string, search: string, hash: string): string {
  const path = pathname.slice(`/app/${app.id}`.length) || "/";
  return `${app.address}${path}${search}${hash}`;
}

/** Whether a frame stands at the portal's own sign-out: an app's sign-out leads there. Elsewhere it cannot be looked into. */
export function leftForSignOut(frame: HTMLIFrameElement): boolean {
  try {
    const at = frame.contentWindow?.location;
    return at?.origin === window.location.origin && at.pathname === "/signout";
  } catch {
    return false;
  }
}

/** All that a page needs, and not to lead the console itself away. It is its own origin that keeps it apart, not this. */
const MAY = "allow-scripts allow-same-origin allow-forms allow-modals allow-downloads allow-popups allow-popups-to-escape-sandbox";

function Framed({ app }: { app: AppInfo }): ReactElement {
  const { pathname, search, hash } = useLocation();
  const place = placeIn(app, pathname, search, hash);
  const [round, setRound] = useState(0);
  const [loaded, setLoaded] = useState<string | null>(null);
  const navigate = useNavigate();
  const heading = usePageTitle(app.title);
  const shown = `${round} ${place}`;
  const onLoad = (event: SyntheticEvent<HTMLIFrameElement>): void => {
    setLoaded(shown);
    if (leftForSignOut(event.currentTarget)) void navigate("/signout");
  };
  return (
    <div className="page-full app-page">
      <div className="app-bar">
        <h1 ref={heading} tabIndex={-1}>
          {app.title}
        </h1>
        {loaded === shown ? null : (
          <span className="small t3" role="status">
            Opening
          </span>
        )}
        <span className="grow" />
        <Button size="compact-xs" leftSection={<Icon name="refresh" />} onClick={() => setRound((n) => n + 1)}>
          Reload
        </Button>
        <Button size="compact-xs" component="a" href={place} target="_blank" rel="noreferrer" leftSection={<Icon name="link" />}>
          Open in own tab
        </Button>
      </div>
      <iframe key={shown} className="app-frame" title={app.title} src={place} sandbox={MAY} referrerPolicy="no-referrer" onLoad={onLoad} />
    </div>
  );
}

/** An app that is not there, or is not this person's: which permission opens it, and the way to ask. */
function NotYours({ id }: { id: string }): ReactElement {
  const found = useApi<{ title: string; permission: string | null }>(`/api/access/page?path=${encodeURIComponent(`/app/${id}`)}`);
  if (found.isLoading) return <Loading rows={4} />;
  const missing = found.data?.permission;
  return (
    <div className="page">
      <PageHeader title={missing ? `${found.data?.title}: not yet for you` : "There is no such app"} />
      <section className="panel">
        {missing ? (
          <div className="panel-body">
            <AskForAccess permission={missing} />
          </div>
        ) : (
          <EmptyState title="No app is at this address" action={<Link to="/">Go to Home</Link>}>
            Its plugin may be missing or quarantined.
          </EmptyState>
        )}
      </section>
    </div>
  );
}
