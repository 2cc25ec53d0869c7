// Tabs of the editor: drafts in this browser, each with its run. Drafts survive a reload here, results on the server.
import { useCallback, useEffect, useState, useSyncExternalStore } from "react";
import type { NewQuery } from "./client";
import { isReloading, rememberRuns, takeRuns, watchReload } from "./reload";
import { Run, type RunView } from "./run";
import { newTab, parseStored, withClosed, withOpened, withReopened, type Closed, type Stored, type Tab } from "./tab-store";

export type { Tab } from "./tab-store";

const keyOf = (owner: string): string => `openlakes.sql.tabs.${owner}`;

const runs = new Map<string, Run>();
let runsOf = "";

// What ran when this page was loaded again is followed at once: until somebody asks for it, the server counts down.
const left = takeRuns();
if (left) {
  runsOf = left.owner;
  for (const { tab, query } of left.runs) {
    const run = new Run();
    runs.set(tab, run);
    void run.attach(query);
  }
}
watchReload();
window.addEventListener("pagehide", () => {
  const busy = [...runs].flatMap(([tab, run]) => (run.busy && run.queryId ? [{ tab, query: run.queryId }] : []));
  rememberRuns(runsOf, busy);
  if (isReloading()) return;
  for (const run of runs.values()) run.leave();
});

/** The drafts of one person: who signs in after somebody else in the same browser sees nothing of theirs. */
function load(owner: string): Stored {
  if (runsOf !== owner) {
    for (const run of runs.values()) run.dispose();
    runs.clear();
    runsOf = owner;
  }
  try {
    return parseStored(localStorage.getItem(keyOf(owner)));
  } catch {
    return parseStored(null);
  }
}

export type Tabs = {
  tabs: Tab[];
  active: Tab;
  /** The newest first. */
  closed: Closed[];
  change: (id: string, part: Partial<Tab> | ((tab: Tab) => Partial<Tab>)) => void;
  open: (part: Partial<Tab>) => Tab;
  close: (id: string) => void;
  /** Opens what was closed last, or the closed tab of this id. */
  reopen: (id?: string) => void;
  select: (id: string) => void;
};

const isBusy = (id: string): boolean => runs.get(id)?.busy ?? false;

export function useTabs(owner: string): Tabs {
  const [state, setState] = useState<Stored>(() => load(owner));
  useEffect(() => {
    const keep = (): void => {
      try {
        localStorage.setItem(keyOf(owner), JSON.stringify(state));
      } catch {
        // full or forbidden: drafts live as long as this page
      }
    };
    const timer = setTimeout(keep, 200);
    window.addEventListener("pagehide", keep);
    return () => {
      clearTimeout(timer);
      window.removeEventListener("pagehide", keep);
    };
  }, [owner, state]);
  const change = useCallback<Tabs["change"]>((id, part) => {
    setState((s) => ({ ...s, tabs: s.tabs.map((t) => (t.id === id ? { ...t, ...(typeof part === "function" ? part(t) : part) } : t)) }));
  }, []);
  const open = useCallback((part: Partial<Tab>) => {
    const tab = newTab(part);
    setState((s) => withOpened(s, tab, isBusy));
    return tab;
  }, []);
  const close = useCallback((id: string) => {
    const run = runs.get(id);
    void run?.stop();
    run?.dispose();
    runs.delete(id);
    setState((s) => withClosed(s, id));
  }, []);
  const reopen = useCallback((id?: string) => setState((s) => withReopened(s, isBusy, id)), []);
  const select = useCallback((id: string) => setState((s) => ({ ...s, active: id })), []);
  const active = state.tabs.find((t) => t.id === state.active) ?? (state.tabs[0] as Tab);
  return { tabs: state.tabs, active, closed: state.closed, change, open, close, reopen, select };
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
