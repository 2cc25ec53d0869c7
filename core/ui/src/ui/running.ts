// What runs for this person: pages and plugins' modules tell of it, the bar shows it wherever the person is.
import { useSyncExternalStore } from "react";

export type RunningThing = {
  /** Unique in the console: the same id again replaces what was told. */
  id: string;
  title: string;
  /** Its page. */
  path: string;
  since: number;
};

let things: readonly RunningThing[] = [];
const listeners = new Set<() => void>();

function change(next: readonly RunningThing[]): void {
  things = next;
  for (const listener of listeners) listener();
}

/** Tell of something that runs; call what is returned when it does not run any more. */
export function reportRunning(thing: RunningThing): () => void {
  change([...things.filter((t) => t.id !== thing.id), thing]);
  return () => change(things.filter((t) => t !== thing));
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const useRunning = (): readonly RunningThing[] => useSyncExternalStore(subscribe, () => things);
