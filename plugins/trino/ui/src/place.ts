// Where the workbench is: what the address asks for, and which schemas there are to stand in.
import { toast, useApi } from "@openlakes/ui";
import { useEffect, useEffectEvent, useMemo } from "react";
import { getQuery, getSaved, paths } from "./client";
import type { Named, Page, Query, SavedQuery } from "./types";

type Asked = {
  parameters: URLSearchParams;
  setParameters: (next: Record<string, string>, options: { replace: boolean }) => void;
  /** The query that is looked at already. */
  current: string | null;
  onSaved: (saved: SavedQuery) => void;
  onQuery: (query: Query) => void;
  onTable: (name: string) => void;
};

/** What the address asks for: a query, a saved query, a table. */
export function useAddress(asked: Asked): void {
  const [query, saved, table] = ["query", "saved", "table"].map((name) => asked.parameters.get(name));
  const open = useEffectEvent(() => {
    const fail = (error: unknown): void => toast("bad", error instanceof Error ? error.message : "It could not be opened.");
    if (query && query !== asked.current) getQuery(query).then(asked.onQuery).catch(fail);
    else if (saved) getSaved(saved).then(asked.onSaved).catch(fail);
    else if (table) asked.onTable(table);
    if (saved || table) asked.setParameters({}, { replace: true });
  });
  useEffect(() => {
    if (query || saved || table) open();
  }, [query, saved, table]);
}

/** `catalog.schema` pairs of the first catalogs, for the picker. */
export function usePlaces(engine: string): string[] {
  const catalogs = useApi<Page<Named>>(paths.catalogs(engine));
  const first = catalogs.data?.items[0]?.name;
  const second = catalogs.data?.items[1]?.name;
  const a = useApi<Page<Named>>(first ? paths.schemas(engine, first) : null);
  const b = useApi<Page<Named>>(second ? paths.schemas(engine, second) : null);
  return useMemo(() => {
    const pairs = [...(a.data?.items ?? []).map((s) => `${first}.${s.name}`), ...(b.data?.items ?? []).map((s) => `${second}.${s.name}`)];
    return pairs.sort((x, y) => Number(x.includes("information_schema")) - Number(y.includes("information_schema")));
  }, [a.data, b.data, first, second]);
}
