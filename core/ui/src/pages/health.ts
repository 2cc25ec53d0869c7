// Components live: asked once by the stream, changed by each event; how fresh that is, is always shown.
import { useCallback, useState } from "react";
import { useEvents, type StreamState } from "../ui/events";

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

export function useComponents(): { components: Component[] | null; stream: StreamState } {
  const [byId, setById] = useState<Map<string, Component> | null>(null);
  const snapshot = useCallback((data: unknown) => {
    const { items } = data as { items: Component[] };
    setById(new Map(items.map((c) => [c.id, c])));
  }, []);
  const changed = useCallback((data: unknown) => {
    const component = data as Component;
    setById((old) => new Map(old ?? []).set(component.id, component));
  }, []);
  const stream = useEvents("/api/components/events", { snapshot, component: changed });
  return { components: byId ? [...byId.values()] : null, stream };
}

export function countStates(components: Component[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { state } of components) counts.set(state, (counts.get(state) ?? 0) + 1);
  return counts;
}
