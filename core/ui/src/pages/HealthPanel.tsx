import { Fragment, type ReactElement } from "react";
import { Link } from "react-router";
import { formatAgo, formatClock, formatUtc, plural } from "../ui/format";
import { Icon } from "../ui/icons";
import { ErrorState, Loading } from "../ui/states";
import { Status, STATE_ORDER } from "../ui/status";
import { useNow } from "../ui/time";
import type { StreamState } from "../ui/events";
import { countStates, type Component, type Components } from "./health";
import "./health.css";

const TROUBLE = new Set(["down", "missing", "degraded"]);
const WORDS: Record<string, string> = { down: "down", missing: "missing", degraded: "degraded", starting: "starting", unknown: "not known yet", healthy: "healthy" };

/** Is anything wrong? The count of each state, then each problem with cause and remedy. */
export function HealthPanel({ health: { components, error, retry }, all }: { health: Components; all?: boolean }): ReactElement {
  if (!components)
    return (
      <section className="panel" aria-label="Health">
        {error ? <ErrorState error={error} retry={retry} /> : <Loading rows={2} />}
      </section>
    );
  const counts = countStates(components);
  const troubles = components
    .filter((c) => TROUBLE.has(c.state))
    .sort((a, b) => STATE_ORDER.indexOf(a.state) - STATE_ORDER.indexOf(b.state));
  const healthy = counts.get("healthy") ?? 0;
  const order = [...STATE_ORDER].reverse().filter((s) => counts.has(s));
  return (
    <section className="panel" aria-label="Health" aria-live="polite">
      <header>
        {healthy === components.length ? (
          <Status state="healthy" label={components.length === 1 ? "The one component is healthy" : `All ${plural(components.length, "component")} healthy`} />
        ) : (
          order.map((state, i) => (
            <Fragment key={state}>
              {i > 0 ? <span className="t3">·</span> : null}
              <Status state={state} label={`${counts.get(state)} ${WORDS[state]}`} />
            </Fragment>
          ))
        )}
        <span className="grow" />
        {all ? (
          <Link className="small" to="/operate/health">
            All components
          </Link>
        ) : null}
      </header>
      {troubles.map((component) => (
        <Problem key={component.id} component={component} />
      ))}
    </section>
  );
}

function Problem({ component }: { component: Component }): ReactElement {
  return (
    <div className="prob" data-component={component.id}>
      <div>
        <Status state={component.state} />
      </div>
      <div>
        <p>
          <span className="b">{component.title}</span>{" "}
          <span className="t3 small" title={formatUtc(new Date(component.since))}>
            since {formatClock(new Date(component.since))}
          </span>
        </p>
        <p className="t2">{component.cause}</p>
        {component.remedy ? <p className="t2 small">{component.remedy}</p> : null}
      </div>
    </div>
  );
}

/** When what is shown was last true. */
export function Freshness({ stream }: { stream: StreamState }): ReactElement {
  const now = useNow(1000);
  if (!stream.at) return <span className="small t3 nowrap">connecting</span>;
  if (stream.live) return <span className="small t3 nowrap">live, {formatAgo(stream.at, now)}</span>;
  return (
    <span className="small warn nowrap row" role="status" title={formatUtc(stream.at)}>
      <Icon name="warn" /> stale since {formatClock(stream.at)}, reconnecting
    </span>
  );
}
