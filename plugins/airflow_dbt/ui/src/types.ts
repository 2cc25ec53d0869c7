// What the plugin's routes answer.

export const BASE = "/api/plugins/airflow_dbt";
const PAGES = "/x/airflow_dbt";

export type About = { title: string; app: string };
export type RunMark = { id: string; state: string; started_at: string | null; ended_at: string | null };
export type Dag = {
  id: string;
  name: string;
  description: string | null;
  paused: boolean;
  broken: boolean;
  schedule: string | null;
  next_run: string | null;
  owners: string[];
  tags: string[];
  runs: RunMark[];
};
export type DagDetails = Dag & { schedule_words: string | null; doc: string | null; conf: Record<string, unknown> };
export type Run = {
  id: string;
  dag: string;
  type: string;
  state: string;
  queued_at: string | null;
  started_at: string | null;
  ended_at: string | null;
  logical_date: string | null;
  by: string | null;
  note: string | null;
};
export type Task = {
  id: string;
  name: string;
  map_index: number;
  state: string | null;
  tries: number;
  max_tries: number;
  operator: string | null;
  started_at: string | null;
  ended_at: string | null;
};
export type RunDetails = Run & { conf: Record<string, unknown>; tasks: Task[]; tasks_total: number };
export type LogLine = { at: string | null; level: string | null; text: string };
export type LogPiece = { lines: LogLine[]; token: string | null; dropped?: number };
export type Page<T> = { items: T[]; next_cursor: string | null; total: number };

const segment = encodeURIComponent;

export const dagRoute = (dag: string): string => `${BASE}/dags/${segment(dag)}`;
export const runRoute = (dag: string, run: string): string => `${dagRoute(dag)}/runs/${segment(run)}`;
export const logRoute = (dag: string, run: string, task: string): string => `${runRoute(dag, run)}/tasks/${segment(task)}/log`;

export const DAGS_PAGE = `${PAGES}/dags`;
export const dagPage = (dag: string): string => `${PAGES}/dag?${new URLSearchParams({ dag })}`;
export const runPage = (dag: string, run: string, more: Record<string, string> = {}): string =>
  `${PAGES}/run?${new URLSearchParams({ dag, run, ...more })}`;

/** A place in Airflow's own pages. Colons and plus signs stand as they are, as Airflow writes them. */
export const inAirflow = (app: string, dag: string, run?: string): string => {
  const own = (name: string): string => segment(name).replaceAll("%3A", ":").replaceAll("%2B", "+");
  return `/app/${app}/dags/${own(dag)}${run ? `/runs/${own(run)}` : ""}`;
};
