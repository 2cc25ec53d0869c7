// The SQL API of this plugin on the wire (docs/users/sql.md).
import { plural } from "@openlakes/ui";

export type EngineInfo = {
  id: string;
  title: string;
  default: boolean;
  dialect: string;
  /** Why it can take no statements now. */
  unavailable: string | null;
};
export type SessionProperty = { name: string; value: string; default: string; type: string; description: string };
export type Restriction = { table: string; kind: "rows" | "column"; column: string; rule: string };
export type EngineQuery = { id: string; restrictions: Restriction[] };
export type QueryState = "queued" | "running" | "finished" | "failed" | "cancelled";
export type ColumnInfo = { name: string; type: string };
export type QueryFault = { message: string; line?: number | null; column?: number | null; kind: string; engine_code?: string | null };
export type Query = {
  id: string;
  state: QueryState;
  sql: string;
  engine: string;
  catalog: string | null;
  schema: string | null;
  parameters: Record<string, unknown>;
  session: Record<string, string>;
  row_limit: number | null;
  progress: number | null;
  rows: number;
  bytes: number;
  total_rows: number | null;
  truncated: boolean;
  columns: ColumnInfo[];
  rows_read: number | null;
  bytes_read: number | null;
  splits_done: number | null;
  splits_total: number | null;
  elapsed: number;
  engine_query_id: string | null;
  created_at: string;
  started_at: string | null;
  ended_at: string | null;
  results_kept: boolean;
  /** The result is complete, and the rows that it has no room for are being counted. */
  counting: boolean;
  queue_position: number | null;
  username: string;
  error: QueryFault | null;
};
export type SavedQuery = {
  id: string;
  name: string;
  description: string;
  sql: string;
  engine: string | null;
  catalog: string | null;
  schema: string | null;
  parameters: Record<string, unknown>;
  shared: boolean;
  origin: "own" | "shared" | "site";
  owner: string;
  version: number;
  updated_at: string | null;
};
export type Named = { name: string };
export type TableEntry = { name: string; kind: "table" | "view"; rows: number | null };
export type TableDetail = {
  catalog: string;
  schema: string;
  name: string;
  kind: "table" | "view";
  columns: { name: string; type: string; nullable: boolean; comment: string | null }[];
  rows: number | null;
  bytes: number | null;
  comment: string | null;
  partitioned_by: string[];
};
export type Page<T> = { items: T[]; next_cursor: string | null };

/** What became of a query, in little room: its rows where it has a result, else its state. */
export const outcome = (query: Pick<Query, "state" | "rows">): string =>
  query.state === "finished" ? plural(query.rows, "row") : query.state;

export const BASE = "/api/plugins/trino";
export const isDone = (state: QueryState): boolean => state === "finished" || state === "failed" || state === "cancelled";
