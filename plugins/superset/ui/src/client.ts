// The plugin's API on the wire (plugins/superset, routes.py).
const BASE = "/api/plugins/superset";

export type Kind = "dashboard" | "chart";
export type Thing = {
  id: number;
  kind: Kind;
  title: string;
  place: string;
  owners: string[];
  changed_at: string | null;
  changed_by: string | null;
  chart_type: string | null;
  dataset: string | null;
  dashboards: string[];
  is_published: boolean;
  certified_by: string | null;
  thumbnail: string | null;
};
export type Found = { items: Thing[]; total: number };
export type Wanted = { search: string; mine: boolean; published: boolean; sort: "changed" | "title"; page: number; limit: number };

export const one = (kind: Kind, id: string): string => `${BASE}/${kind}s/${encodeURIComponent(id)}`;
export const sqlLab = `${BASE}/sql-lab`;

export function listing(kind: Kind, wanted: Wanted): string {
  const query = new URLSearchParams({ sort: wanted.sort, page: String(wanted.page), limit: String(wanted.limit) });
  if (wanted.search) query.set("search", wanted.search);
  if (wanted.mine) query.set("mine", "true");
  if (wanted.published && kind === "dashboard") query.set("published", "true");
  return `${BASE}/${kind}s?${query.toString()}`;
}

/** Superset's own page of it, within the console. */
export const inShell = (place: string): string => `/app/superset${place}`;

/** The same place without Superset's own frame around it, to stand within a page of ours. */
export function framed(address: string, place: string): string {
  return `${address}${place}${place.includes("?") ? "&" : "?"}standalone=1`;
}
