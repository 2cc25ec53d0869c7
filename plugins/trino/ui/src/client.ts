// Calls of the SQL API.
import { api, apiFetch } from "@openlakes/ui";
import { BASE, type EngineInfo, type Page, type Query, type SavedQuery, type TableDetail, type TableEntry } from "./types";

const part = encodeURIComponent;
const withEngine = (path: string, engine: string): string => `${BASE}/${path}?engine=${part(engine)}`;

export const paths = {
  engines: `${BASE}/engines`,
  catalogs: (engine: string) => withEngine("catalogs", engine),
  schemas: (engine: string, catalog: string) => withEngine(`catalogs/${part(catalog)}/schemas`, engine),
  tables: (engine: string, catalog: string, schema: string) => withEngine(`catalogs/${part(catalog)}/schemas/${part(schema)}/tables`, engine),
  table: (engine: string, catalog: string, schema: string, table: string) =>
    withEngine(`catalogs/${part(catalog)}/schemas/${part(schema)}/tables/${part(table)}`, engine),
  functions: (engine: string) => `${BASE}/engines/${part(engine)}/functions`,
  sessionProperties: (engine: string) => `${BASE}/engines/${part(engine)}/session-properties`,
  engineQuery: (id: string) => `${BASE}/engine-query?id=${part(id)}`,
  query: (id: string) => `${BASE}/queries/${part(id)}`,
  results: (id: string) => `${BASE}/queries/${part(id)}/results`,
  statistics: (id: string) => `${BASE}/queries/${part(id)}/statistics`,
  history: (text: string, cursor: string | null) => `${BASE}/queries?limit=50${text ? `&text=${part(text)}` : ""}${cursor ? `&cursor=${part(cursor)}` : ""}`,
  saved: `${BASE}/saved-queries`,
};

export type NewQuery = {
  sql: string;
  engine?: string;
  catalog?: string | null;
  schema?: string | null;
  parameters?: Record<string, unknown>;
  session?: Record<string, string>;
  row_limit?: number;
};

export const startQuery = (query: NewQuery): Promise<Query> => api<Query>(`${BASE}/queries`, { method: "POST", body: query });
export const getQuery = (id: string, signal?: AbortSignal): Promise<Query> => api<Query>(paths.query(id), { signal });
export const stopQuery = (id: string): Promise<Query> => api<Query>(paths.query(id), { method: "DELETE" });
/** Seconds in which a page that is loaded again must ask for its query; a closed one's stops within two. */
const GRACE = 1.5;
export const leaveQuery = (id: string): Promise<Query> => api<Query>(`${paths.query(id)}?unless_asked_within=${GRACE}`, { method: "DELETE", keepalive: true });

export const openResults = (id: string, signal: AbortSignal): Promise<Response> =>
  apiFetch(paths.results(id), { signal, headers: { accept: "application/vnd.apache.arrow.stream" } });

export const formatSql = async (sql: string, engine: string): Promise<string> =>
  (await api<{ sql: string }>(`${BASE}/format`, { method: "POST", body: { sql, engine } })).sql;

export type SavedInput = {
  name: string;
  sql: string;
  engine?: string | null;
  catalog?: string | null;
  schema?: string | null;
  parameters?: Record<string, unknown>;
  shared?: boolean;
};
export const createSaved = (input: SavedInput): Promise<SavedQuery> => api<SavedQuery>(`${BASE}/saved-queries`, { method: "POST", body: input });
export const updateSaved = (id: string, version: number | null, input: Partial<SavedInput>): Promise<SavedQuery> =>
  api<SavedQuery>(`${BASE}/saved-queries/${part(id)}`, {
    method: "PATCH",
    body: input,
    headers: version !== null ? { "if-match": `"${version}"` } : {},
  });
export const deleteSaved = (id: string): Promise<void> => api<void>(`${BASE}/saved-queries/${part(id)}`, { method: "DELETE" });
export const getSaved = (id: string): Promise<SavedQuery> => api<SavedQuery>(`${BASE}/saved-queries/${part(id)}`);

export type { EngineInfo, Page, TableDetail, TableEntry };
