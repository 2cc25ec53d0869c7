// Below the editor: what became of the run, in one line, and the result in five views.
import { Button, CodeBlock, EmptyState, ErrorState, formatBytes, formatDuration, Icon, Menu, plural, pluralOf, SegmentedControl, Slot, Status, toast, useNow } from "@openlakes/ui";
import { lazy, Suspense, type ReactElement } from "react";
import { paths } from "./client";
import { EngineBadge, EngineRestrictions, IoPlan } from "./EngineFacts";
import { readIoPlan } from "./io-plan";
import { ResultGrid } from "./ResultGrid";
import type { RunView } from "./run";
import { isDone, type Query } from "./types";

const ResultChart = lazy(async () => ({ default: (await import("./ResultChart")).ResultChart }));
const ResultColumns = lazy(async () => ({ default: (await import("./ResultColumns")).ResultColumns }));

export type ResultTab = "grid" | "chart" | "columns" | "messages";
const VIEWS: { value: ResultTab; label: string }[] = [
  { value: "grid", label: "Grid" },
  { value: "chart", label: "Chart" },
  { value: "columns", label: "Columns" },
  { value: "messages", label: "Messages" },
];

export const isResultTab = (name: string | null): name is ResultTab => VIEWS.some((v) => v.value === name);

type Props = {
  view: RunView | null;
  shown: ResultTab;
  onShow: (tab: ResultTab) => void;
  /** Queries of the last run, one a statement; the one looked at is `view`. */
  results: string[];
  onResult: (id: string) => void;
  /** The line of the editor on which a fault stands, where that is known. */
  markedLine: number | null;
  engineTitle: (id: string) => string;
  onLibrary: () => void;
};

export function ResultPane({ view, shown, onShow, results, onResult, markedLine, engineTitle, onLibrary }: Props): ReactElement {
  if (!view) {
    return (
      <div className="sql-results">
        <EmptyState title="The result will be here" action={<Button onClick={onLibrary}>Open a saved query</Button>}>
          <kbd>Ctrl</kbd> <kbd>Enter</kbd> runs the statement at the cursor, or what is selected.
        </EmptyState>
      </div>
    );
  }
  const { query, rows } = view;
  const failed = view.error !== null || query?.state === "failed";
  const plan = query !== null && /^\s*explain\b/i.test(query.sql);
  return (
    <div className="sql-results">
      <div className="sql-bar">
        {results.length > 1 ? <ResultStrip results={results} at={query?.id ?? null} busy={query !== null && !isDone(query.state)} onResult={onResult} /> : null}
        <div className="sql-summary" role="status">
          {view.error ? <Status state="failed" label="Not run" /> : query ? <Summary query={query} view={view} engineTitle={engineTitle} /> : <Status state="queued" />}
        </div>
        <span className="grow" />
        {query ? <EngineBadge query={query} /> : null}
        <SegmentedControl
          size="xs"
          aria-label="View of the result"
          data={plan ? VIEWS.map((v) => (v.value === "grid" ? { ...v, label: "Plan" } : v)) : VIEWS}
          value={shown}
          onChange={(v) => onShow(v as ResultTab)}
        />
        {query?.state === "finished" && query.columns.length > 0 ? <Export query={query} /> : null}
        {query?.state === "finished" && query.columns.length > 0 ? <Slot name="query.result" value={query} /> : null}
      </div>
      {query && !isDone(query.state) && query.progress !== null ? (
        <progress className="sql-progress" max={1} value={query.progress} aria-label="Progress of the query" />
      ) : null}
      <div className="sql-view">
        <Suspense fallback={null}>
          {view.error ? (
            <ErrorState error={view.error} />
          ) : failed && query?.error ? (
            <Fault query={query} line={markedLine} />
          ) : shown === "messages" && query ? (
            <Messages query={query} />
          ) : shown === "chart" && view.version > 0 ? (
            <ResultChart rows={rows} query={query} />
          ) : shown === "columns" && query && isDone(query.state) ? (
            <ResultColumns queryId={query.id} />
          ) : plan && rows.length > 0 ? (
            <Plan text={planText(view)} />
          ) : rows.fields.length > 0 && (rows.length > 0 || !query || !isDone(query.state)) ? (
            <ResultGrid rows={rows} version={view.version} columns={query?.columns ?? []} complete={!view.loading} />
          ) : query && isDone(query.state) && !view.loading ? (
            <EmptyState title={query.state === "cancelled" ? "Stopped before there was a row" : "The query gave no rows"}>
              {query.columns.length ? `Its columns are ${query.columns.map((c) => c.name).join(", ")}.` : "It changed nothing and returned nothing."}
            </EmptyState>
          ) : (
            <p className="t3 panel-body">Waiting for the first rows</p>
          )}
        </Suspense>
      </div>
    </div>
  );
}

const count = (n: number): string => n.toLocaleString("en-GB");

/** Several statements ran: a button for the result of each. */
function ResultStrip({ results, at, busy, onResult }: { results: string[]; at: string | null; busy: boolean; onResult: (id: string) => void }): ReactElement {
  return (
    <div className="sql-strip" role="group" aria-label="Results, one a statement">
      {results.map((id, i) => (
        <button key={id} type="button" aria-pressed={id === at} disabled={busy && id !== at} onClick={() => onResult(id)} aria-label={`Result ${i + 1} of ${results.length}`}>
          {i + 1}
        </button>
      ))}
    </div>
  );
}

/** "first 10,000 of 336,776 rows"; "first 10,000 rows; there are more" where nobody could count them; "32 rows, all of them". */
export function rowsText(query: Pick<Query, "rows" | "truncated" | "total_rows" | "state" | "counting">): string {
  if (!isDone(query.state)) return query.rows ? `${plural(query.rows, "row")} so far` : "";
  const whole = query.total_rows;
  if (query.truncated && whole !== null && whole > query.rows) return `first ${pluralOf(query.rows, whole, "row")}`;
  if (query.truncated && whole !== null) return `${plural(query.rows, "row")}, the longest values cut`;
  if (query.truncated && query.counting) return `first ${plural(query.rows, "row")}; counting the rest`;
  if (query.truncated) return query.rows === 1 ? "first row; there are more" : `first ${plural(query.rows, "row")}; there are more`;
  return `${plural(query.rows, "row")}, all of ${query.rows === 1 ? "it" : "them"}`;
}

function Summary({ query, view, engineTitle }: { query: Query; view: RunView; engineTitle: (id: string) => string }): ReactElement {
  const now = useNow(isDone(query.state) ? 3_600_000 : 100);
  const elapsed = isDone(query.state) ? query.elapsed : Math.max(0, (now.getTime() - view.startedAt) / 1000);
  const words = { queued: "Queued for", running: "Running for", finished: "Finished in", failed: "Failed after", cancelled: "Stopped after" }[query.state];
  const parts = [
    query.state === "failed" ? "" : rowsText(query),
    query.bytes_read === null ? "" : `${formatBytes(query.bytes_read)} read`,
    query.splits_total ? `${query.splits_done ?? 0} of ${query.splits_total} splits` : "",
    `${engineTitle(query.engine)} as ${query.username}`,
  ].filter(Boolean);
  return (
    <>
      <Status state={query.state} label={view.stopping ? "Stopping" : `${words} ${formatDuration(elapsed)}`} />
      {parts.map((part) => (
        <span key={part} className="small t2">
          <span className="t3" aria-hidden="true">
            ·{" "}
          </span>
          <span className={part.startsWith("first ") ? "warn" : undefined}>{part}</span>
        </span>
      ))}
    </>
  );
}

const FORMATS = [
  { label: "CSV", type: "text/csv" },
  { label: "Parquet", type: "application/vnd.apache.parquet" },
  { label: "Arrow", type: "application/vnd.apache.arrow.stream" },
];

function Export({ query }: { query: Query }): ReactElement {
  return (
    <Menu position="bottom-end" shadow="md">
      <Menu.Target>
        <Button rightSection={<Icon name="down" />}>Export</Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{rowsText(query)}</Menu.Label>
        {FORMATS.map((format) => (
          <Menu.Item key={format.label} component="a" href={`${paths.results(query.id)}?format=${encodeURIComponent(format.type)}`} download leftSection={<Icon name="download" />}>
            {format.label}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

function Fault({ query, line }: { query: Query; line: number | null }): ReactElement {
  const fault = query.error;
  const told = line ?? fault?.line;
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText([`query ${query.id}`, `engine ${query.engine}`, `${fault?.engine_code ?? fault?.kind}: ${fault?.message}`].join("\n"));
    toast("ok", "Query id and message are in the clipboard.");
  };
  return (
    <div className="state state-error" role="alert">
      <p className="b row">
        <Icon name="warn" className="bad" />
        {told ? `Line ${told}${fault?.column ? `, column ${fault.column}` : ""}` : "The query failed"}
        <span className="tag">{fault?.kind}</span>
      </p>
      <pre className="sql-fault">{fault?.message}</pre>
      <Button leftSection={<Icon name="copy" />} onClick={() => void copy()}>
        Copy for help
      </Button>
    </div>
  );
}

function Messages({ query }: { query: Query }): ReactElement {
  const facts: [string, string | null][] = [
    ["Query", query.id],
    ["Engine", query.engine],
    ["State", query.state],
    ["Rows kept", count(query.rows)],
    ["Limit", query.row_limit === null ? "the engine's own" : count(query.row_limit)],
    ["Rows read", query.rows_read === null ? null : count(query.rows_read)],
    ["Read", query.bytes_read === null ? null : formatBytes(query.bytes_read)],
    ["Result", formatBytes(query.bytes)],
    ["Time", formatDuration(query.elapsed)],
    ["Session properties", Object.entries(query.session ?? {}).map(([name, value]) => `${name} = ${value}`).join(", ") || null],
    ["Message", query.error?.message ?? "none"],
  ];
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reachable by keyboard
    <div className="sql-scroll" tabIndex={0} role="region" aria-label="Messages of the query">
      <dl className="keyvalue">
        {facts.map(([name, value]) =>
          value === null ? null : (
            <div key={name} style={{ display: "contents" }}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ),
        )}
      </dl>
      <EngineRestrictions query={query} />
      <CodeBlock text={query.sql} label="Statement" />
    </div>
  );
}

function Plan({ text }: { text: string }): ReactElement {
  const tables = readIoPlan(text);
  if (tables) return <IoPlan tables={tables} />;
  return <CodeBlock text={text} label="Plan of the query" className="sql-plan" />;
}

function planText({ rows }: RunView): string {
  const lines: string[] = [];
  for (let row = 0; row < Math.min(rows.length, 5000); row += 1) lines.push(rows.text(row, rows.fields.length - 1) ?? "");
  return lines.join("\n");
}
