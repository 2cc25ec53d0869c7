// Server-Sent Events with an end: the browser reconnects by itself; how fresh the data is, is always known.
import { useEffect, useRef, useState } from "react";

export type StreamState = { live: boolean; at: Date | null };

/** Follow a stream; `handlers` by event name get the parsed data. */
export function useEvents(path: string | null, handlers: Record<string, (data: unknown) => void>): StreamState {
  const [state, setState] = useState<StreamState>({ live: false, at: null });
  const latest = useRef(handlers);
  latest.current = handlers;
  const names = Object.keys(handlers).join();
  useEffect(() => {
    if (path === null) return undefined;
    const source = new EventSource(path);
    const alive = (): void => setState({ live: true, at: new Date() });
    source.addEventListener("open", alive);
    source.addEventListener("error", () => setState((s) => ({ ...s, live: false })));
    source.addEventListener("signed-out", () => source.close());
    for (const name of names.split(","))
      source.addEventListener(name, (event) => {
        alive();
        latest.current[name]?.(JSON.parse((event as MessageEvent<string>).data));
      });
    return () => source.close();
  }, [path, names]);
  return state;
}
