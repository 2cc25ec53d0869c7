// What the engine itself tells of a query: what its rules took away, and the way to its own page.
import { formatBytes, Icon, Link, plural, Table, useApi } from "@openlakes/ui";
import type { ReactElement } from "react";
import { paths } from "./client";
import type { IoTable } from "./io-plan";
import { isDone, type EngineQuery, type Query, type Restriction } from "./types";

const PAGE = "/x/trino/query";
const asked = (query: Query): string | null => (query.engine === "trino" && query.engine_query_id ? query.engine_query_id : null);

/** Trino forgets what ended a while ago: then there is nothing to tell, and that is no error. */
function useEngineQuery(query: Query): EngineQuery | undefined {
  const id = asked(query);
  return useApi<EngineQuery>(id && isDone(query.state) ? paths.engineQuery(id) : null).data;
}

export function restrictionWords(restrictions: Restriction[]): string {
  const rows = restrictions.filter((r) => r.kind === "rows").length;
  const columns = restrictions.length - rows;
  return [rows ? plural(rows, "row filter") : "", columns ? plural(columns, "masked column") : ""].filter(Boolean).join(", ");
}

/** In the bar: that this is not all there is, and the query's page. */
export function EngineBadge({ query }: { query: Query }): ReactElement | null {
  const told = useEngineQuery(query);
  const id = asked(query);
  if (!id) return null;
  const restricted = told && told.restrictions.length > 0;
  return (
    <>
      {restricted ? (
        <span className="small warn row" title="Trino's access rules show you a part of these tables">
          <Icon name="filter" /> Restricted for you: {restrictionWords(told.restrictions)}
        </span>
      ) : null}
      <Link className="small nowrap" to={`${PAGE}?id=${id}`}>
        Query in Trino
      </Link>
    </>
  );
}

/** Among the messages: each rule in words. */
export function EngineRestrictions({ query }: { query: Query }): ReactElement | null {
  const told = useEngineQuery(query);
  if (!told || told.restrictions.length === 0) return null;
  return (
    <div className="sql-restricted">
      <p className="b">Trino&apos;s rules show you a part of this</p>
      <ul>
        {told.restrictions.map((r) => (
          <li key={`${r.table} ${r.column} ${r.rule}`}>
            {r.kind === "rows" ? (
              <>
                <code>{r.table}</code>: only rows for which <code>{r.rule}</code>
              </>
            ) : (
              <>
                <code>
                  {r.table}.{r.column}
                </code>{" "}
                is shown as <code>{r.rule}</code>
              </>
            )}
          </li>
        ))}
      </ul>
    </div>
  );
}

/** EXPLAIN (TYPE IO) as a table. */
export function IoPlan({ tables }: { tables: IoTable[] }): ReactElement {
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reachable by keyboard
    <div className="sql-scroll" tabIndex={0} role="region" aria-label="Plan of the query">
      <Table
        label="Tables of the statement"
        rows={tables}
        rowKey={(t) => `${t.table} ${t.conditions} ${t.written}`}
        columns={[
          { id: "table", label: "Table", value: (t) => t.table, render: (t) => <code>{t.table}</code> },
          { id: "what", label: "Is", value: (t) => (t.written ? "written" : "read") },
          { id: "conditions", label: "Only where", value: (t) => t.conditions, render: (t) => (t.conditions ? <code>{t.conditions}</code> : <span className="t3">everything</span>) },
          { id: "rows", label: "Rows, estimated", numeric: true, value: (t) => t.rows, render: (t) => (t.rows === null ? <span className="t3">not known</span> : t.rows.toLocaleString("en-GB", { maximumFractionDigits: 0 })) },
          { id: "bytes", label: "Size, estimated", numeric: true, value: (t) => t.bytes, render: (t) => (t.bytes === null ? <span className="t3">not known</span> : formatBytes(t.bytes)) },
        ]}
      />
    </div>
  );
}
