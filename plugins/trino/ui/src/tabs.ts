// Tabs of the editor: drafts in this browser, each with its run. Drafts survive a reload here, results on the server.
import { useCallback, useEffect, useState, useSyncExternalStore } from "react";
import type { NewQuery } from "./client";
import { Run, type RunView } from "./run";

export type Tab = {
  id: string;
  name: string;
  sql: string;
  engine: string | null;
  catalog: string | null;
  schema: string | null;
  limit: number;
  parameters: Record<string, string>;
  queryId: string | null;
  savedId: string | null;
  savedVersion: number | null;
  /** The text as it was saved; a draft differs from it. */
  savedSql: string | null;
};

const KEY = "openlakes.sql.tabs";
const MOST = 20;

const runs = new Map<string, Run>();
window.addEventListener("pagehide", () => {
  for (const run of runs.values()) run.leave();
});

let counter = 0;
export function newTab(part: Partial<Tab> = {}): Tab {
  counter += 1;
  return {
    id: `${Date.now().toString(36)}${counter}`,
    name: "",
    sql: "",
    engine: null,
    catalog: null,
    schema: null,
    limit: 10_000,
    parameters: {},
    queryId: null,
    savedId: null,
    savedVersion: null,
    savedSql: null,
    ...part,
  };
}

type Stored = { tabs: Tab[]; active: string };

function load(): Stored {
  try {
    const stored = JSON.parse(localStorage.getItem(KEY) ?? "null") as Stored | null;
    if (stored && Array.isArray(stored.tabs) && stored.tabs.length > 0) {
      const tabs = stored.tabs.slice(0, MOST).map((tab) => newTab({ ...tab }));
      return { tabs, active: tabs.some((t) => t.id === stored.active) ? stored.active : (tabs[0] as Tab).id };
    }
  } catch {
    // a damaged draft store is begun anew
  }
  const first = newTab();
  return { tabs: [first], active: first.id };
}

export type Tabs = {
  tabs: Tab[];
  active: Tab;
  change: (id: string, part: Partial<Tab>) => void;
  open: (part: Partial<Tab>) => Tab;
  close: (id: string) => void;
  select: (id: string) => void;
};

export function useTabs(): Tabs {
  const [state, setState] = useState<Stored>(load);
  useEffect(() => {
    const timer = setTimeout(() => {
      try {
        localStorage.setItem(KEY, JSON.stringify(state));
      } catch {
        // full or forbidden: drafts live as long as this page
      }
    }, 200);
    return () => clearTimeout(timer);
  }, [state]);
  const change = useCallback((id: string, part: Partial<Tab>) => {
    setState((s) => ({ ...s, tabs: s.tabs.map((t) => (t.id === id ? { ...t, ...part } : t)) }));
  }, []);
  const open = useCallback((part: Partial<Tab>) => {
    const tab = newTab(part);
    setState((s) => ({ tabs: [...s.tabs, tab].slice(-MOST), active: tab.id }));
    return tab;
  }, []);
  const close = useCallback((id: string) => {
    const run = runs.get(id);
    void run?.stop();
    run?.dispose();
    runs.delete(id);
    setState((s) => {
      const at = s.tabs.findIndex((t) => t.id === id);
      const tabs = s.tabs.filter((t) => t.id !== id);
      if (tabs.length === 0) {
        const fresh = newTab();
        return { tabs: [fresh], active: fresh.id };
      }
      const next = tabs[Math.min(at, tabs.length - 1)] as Tab;
      return { tabs, active: s.active === id ? next.id : s.active };
    });
  }, []);
  const select = useCallback((id: string) => setState((s) => ({ ...s, active: id })), []);
  const active = state.tabs.find((t) => t.id === state.active) ?? (state.tabs[0] as Tab);
  return { tabs: state.tabs, active, change, open, close, select };
}

const NOTHING = (): (() => void) => () => undefined;
const EMPTY = (): null => null;

/** The run of a tab, taken up from the server where the tab remembers a query. */
export function useRun(tab: Tab, onId: (id: string) => void): { view: RunView | null; start: (input: NewQuery) => void; stop: () => void } {
  const [, redraw] = useState(0);
  useEffect(() => {
    if (!tab.queryId || runs.has(tab.id)) return;
    const run = new Run();
    runs.set(tab.id, run);
    redraw((n) => n + 1);
    void run.attach(tab.queryId);
  }, [tab.id, tab.queryId]);
  const run = runs.get(tab.id);
  const view = useSyncExternalStore<RunView | null>(run?.subscribe ?? NOTHING, run?.snapshot ?? EMPTY);
  const start = useCallback(
    (input: NewQuery) => {
      const old = runs.get(tab.id);
      void old?.stop();
      old?.dispose();
      const fresh = new Run();
      runs.set(tab.id, fresh);
      redraw((n) => n + 1);
      void fresh.start(input, onId);
    },
    [tab.id, onId],
  );
  const stop = useCallback(() => void runs.get(tab.id)?.stop(), [tab.id]);
  return { view, start, stop };
}

export const runOf = (id: string): Run | undefined => runs.get(id);
