// Server-Sent Events with an end: the stream comes back by itself, and how fresh the data is, is always known.
import { useEffect, useEffectEvent, useState } from "react";
import { checkSession } from "./api";

export type StreamState = { live: boolean; at: Date | null };

/** Seconds before the next attempt: 2, 4, 8, 16, 30, 30, ... */
export const retryDelay = (attempt: number): number => Math.min(30, 2 ** (attempt + 1));

/** What an event carries: JSON, else its text. */
export function parseEvent(data: string): unknown {
  try {
    return JSON.parse(data) as unknown;
  } catch {
    return data;
  }
}

/** Follow a stream; `handlers` by event name get the parsed data. `null` follows nothing. */
export function useEvents(path: string | null, handlers: Record<string, (data: unknown) => void>): StreamState {
  const [state, setState] = useState<StreamState>({ live: false, at: null });
  const names = Object.keys(handlers).join();
  const handle = useEffectEvent((name: string, event: Event) => {
    setState({ live: true, at: new Date() });
    handlers[name]?.(parseEvent((event as MessageEvent<string>).data));
  });
  useEffect(() => {
    if (path === null) return undefined;
    let source: EventSource | null = null;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let attempt = 0;
    const lost = (): void => setState((s) => ({ ...s, live: false }));
    const open = (): void => {
      clearTimeout(timer);
      source?.close();
      source = new EventSource(path);
      const opened = source;
      opened.addEventListener("open", () => {
        attempt = 0;
        setState({ live: true, at: new Date() });
      });
      opened.addEventListener("error", () => {
        lost();
        // The browser reconnects after a broken connection, but not after an answer that is an error.
        if (opened.readyState === EventSource.CLOSED) timer = setTimeout(open, retryDelay(attempt++) * 1000);
      });
      opened.addEventListener("bye", lost);
      opened.addEventListener("signed-out", () => {
        opened.close();
        lost();
        void checkSession();
      });
      for (const name of names.split(",")) opened.addEventListener(name, (event) => handle(name, event));
    };
    open();
    window.addEventListener("online", open);
    return () => {
      window.removeEventListener("online", open);
      clearTimeout(timer);
      source?.close();
    };
  }, [path, names]);
  return state;
}
