// How the log stands: whether it holds, how far statements cover it, what waits for a sink.
import type { ReactElement } from "react";
import { useApi } from "../../ui/api";
import { plural } from "../../ui/format";
import { Icon } from "../../ui/icons";
import { Status } from "../../ui/status";
import { Time } from "../../ui/time";
import { stateWords, type AuditState } from "./words";

export function LogState(): ReactElement | null {
  const { data } = useApi<AuditState>("/api/audit/state", { refresh: 10 });
  if (!data) return null;
  const { mark, text } = stateWords(data);
  const late = Object.entries(data.failing);
  return (
    <section className={`panel audit-state${mark === "failed" ? " audit-broken" : ""}`} aria-label="How the log stands">
      <div className="row wrap audit-state-row">
        <Status state={mark} label={text} />
        {data.statement_at ? (
          <span className="small t3">
            signed <Time at={data.statement_at} />
          </span>
        ) : null}
        {data.archived ? <span className="small t3">{plural(data.archived, "archive")}</span> : null}
      </div>
      {mark === "failed" ? (
        <p className="small">
          Somebody changed the log from outside. <code>openlakes audit verify</code> names every record that is wrong; compare it with what your sinks hold.
        </p>
      ) : null}
      {late.map(([name, why]) => (
        <p key={name} className="small t2 row" role="status">
          <Icon name="warn" className="warn" /> {plural(data.waiting[name] ?? 0, "record")} wait for the sink {name}: {why}
        </p>
      ))}
    </section>
  );
}
