// Components live: asked once by the stream, changed by each event; how fresh that is, is always shown.
import { useCallback, useState } from "react";
import { useApi } from "../ui/api";
import { useEvents, type StreamState } from "../ui/events";
import { useElapsed } from "../ui/time";

/** Milliseconds that the stream gets for its first word; then the list is asked for, and asked for again. */
const PATIENCE = 3000;
const EVERY = 10;

export type Component = {
  id: string;
  plugin: string;
  title: string;
  state: string;
  cause: string | null;
  remedy: string | null;
  since: string;
  checked_at: string | null;
  details: Record<string, string>;
};

export type Components = {
  components: Component[] | null;
  stream: StreamState;
  /** Neither the stream nor the list can be had. */
  error: Error | null;
  retry: () => void;
};

export function useComponents(): Components {
  const [byId, setById] = useState<Map<string, Component> | null>(null);
  const snapshot = useCallback((data: unknown) => {
    const { items } = data as { items: Component[] };
    setById(new Map(items.map((c) => [c.id, c])));
  }, []);
  const changed = useCallback((data: unknown) => {
    const component = data as Component;
    setById((old) => new Map(old ?? []).set(component.id, component));
  }, []);
  const removed = useCallback((data: unknown) => {
    const { id } = data as { id: string };
    setById((old) => new Map([...(old ?? [])].filter(([known]) => known !== id)));
  }, []);
  const stream = useEvents("/api/components/events", { snapshot, component: changed, removed });
  const late = useElapsed(PATIENCE);
  const list = useApi<{ items: Component[] }>(late && byId === null ? "/api/components" : null, { refresh: EVERY });
  const components = byId ? [...byId.values()] : (list.data?.items ?? null);
  return { components, stream, error: components ? null : list.error, retry: () => void list.refetch() };
}

export function countStates(components: Component[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { state } of components) counts.set(state, (counts.get(state) ?? 0) + 1);
  return counts;
}
