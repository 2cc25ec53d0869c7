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
  /** The query whose result is looked at, and those of the last run: several where several statements were run. */
  queryId: string | null;
  results: string[];
  /** Where in the text the statement stands that ran last. */
  from: number;
  savedId: string | null;
  savedVersion: number | null;
  /** The text as it was saved; a draft differs from it. */
  savedSql: string | null;
};

const MOST = 20;
const keyOf = (owner: string): string => `openlakes.sql.tabs.${owner}`;

const runs = new Map<string, Run>();
let runsOf = "";
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
    results: [],
    from: 0,
    savedId: null,
    savedVersion: null,
    savedSql: null,
    ...part,
  };
}

type Stored = { tabs: Tab[]; active: string };

/** The drafts of one person: who signs in after somebody else in the same browser sees nothing of theirs. */
function load(owner: string): Stored {
  if (runsOf !== owner) {
    for (const run of runs.values()) run.dispose();
    runs.clear();
    runsOf = owner;
  }
  try {
    const stored = JSON.parse(localStorage.getItem(keyOf(owner)) ?? "null") as Stored | null;
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
  change: (id: string, part: Partial<Tab> | ((tab: Tab) => Partial<Tab>)) => void;
  open: (part: Partial<Tab>) => Tab;
  close: (id: string) => void;
  select: (id: string) => void;
};

export function useTabs(owner: string): Tabs {
  const [state, setState] = useState<Stored>(() => load(owner));
  useEffect(() => {
    const timer = setTimeout(() => {
      try {
        localStorage.setItem(keyOf(owner), JSON.stringify(state));
      } catch {
        // full or forbidden: drafts live as long as this page
      }
    }, 200);
    return () => clearTimeout(timer);
  }, [owner, state]);
  const change = useCallback<Tabs["change"]>((id, part) => {
    setState((s) => ({ ...s, tabs: s.tabs.map((t) => (t.id === id ? { ...t, ...(typeof part === "function" ? part(t) : part) } : t)) }));
  }, []);
  const open = useCallback((part: Partial<Tab>) => {
    const tab = newTab(part);
    setState((s) => ({ tabs: [...withRoom(s.tabs), tab], active: tab.id }));
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

/** Room for one more: of too many, one goes that holds nothing that is not kept elsewhere, else the oldest. */
function withRoom(tabs: Tab[]): Tab[] {
  if (tabs.length < MOST) return tabs;
  const idle = tabs.filter((t) => !runs.get(t.id)?.busy);
  const goes = idle.find((t) => t.sql.trim() === "" || t.sql === t.savedSql) ?? idle[0] ?? tabs[0];
  return tabs.filter((t) => t !== goes);
}

const NOTHING = (): (() => void) => () => undefined;
const EMPTY = (): null => null;

export type TabRun = {
  view: RunView | null;
  /** Runs one after the other, until one does not finish. */
  start: (inputs: NewQuery[]) => void;
  stop: () => void;
  /** Looks at an earlier result of this tab. */
  show: (id: string) => void;
};

/** The run of a tab, taken up from the server where the tab remembers a query. */
export function useRun(tab: Tab, onStarted: (id: string, number: number) => void): TabRun {
  const [, redraw] = useState(0);
  const { id: tabId } = tab;
  const replace = useCallback(
    (run: Run) => {
      runs.get(tabId)?.dispose();
      runs.set(tabId, run);
      redraw((n) => n + 1);
    },
    [tabId],
  );
  useEffect(() => {
    if (!tab.queryId || runs.has(tabId)) return;
    const run = new Run();
    replace(run);
    void run.attach(tab.queryId);
  }, [tabId, tab.queryId, replace]);
  const run = runs.get(tabId);
  const view = useSyncExternalStore<RunView | null>(run?.subscribe ?? NOTHING, run?.snapshot ?? EMPTY);
  const start = useCallback(
    (inputs: NewQuery[]) => {
      void runs.get(tabId)?.stop();
      void (async () => {
        for (const [number, input] of inputs.entries()) {
          const fresh = new Run();
          replace(fresh);
          await fresh.start(input, (id) => onStarted(id, number));
          if (runs.get(tabId) !== fresh || fresh.snapshot().query?.state !== "finished") return;
        }
      })();
    },
    [tabId, replace, onStarted],
  );
  const stop = useCallback(() => void runs.get(tabId)?.stop(), [tabId]);
  const show = useCallback(
    (id: string) => {
      if (runs.get(tabId)?.busy) return;
      const earlier = new Run();
      replace(earlier);
      void earlier.attach(id);
    },
    [tabId, replace],
  );
  return { view, start, stop, show };
}

export const runOf = (id: string): Run | undefined => runs.get(id);
