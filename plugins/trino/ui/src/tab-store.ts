// Tabs as data: what is open, what was closed. Arithmetic without a page; a text that was typed is never dropped.

export type Tab = {
  id: string;
  name: string;
  sql: string;
  engine: string | null;
  catalog: string | null;
  schema: string | null;
  limit: number;
  parameters: Record<string, string>;
  /** Properties of the engine's session that each run of this tab has. */
  session: Record<string, string>;
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

/** A tab that was closed, and where it stood. */
export type Closed = { tab: Tab; at: number; title: string };
/** What is kept in the browser; `closed` has the newest first. */
export type Stored = { tabs: Tab[]; active: string; closed: Closed[] };

export const MOST = 20;
const MOST_CLOSED = 30;

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
    session: {},
    queryId: null,
    results: [],
    from: 0,
    savedId: null,
    savedVersion: null,
    savedSql: null,
    ...part,
  };
}

export const titleOf = (tabs: Tab[], tab: Tab): string => tab.name || `Untitled ${tabs.indexOf(tab) + 1}`;

/** What can be made of what the browser kept; a damaged store is begun anew. */
export function parseStored(text: string | null): Stored {
  try {
    const stored = JSON.parse(text ?? "null") as Partial<Stored> | null;
    if (stored && Array.isArray(stored.tabs) && stored.tabs.length > 0) {
      const tabs = stored.tabs.slice(0, MOST).map((tab) => newTab({ ...tab }));
      const closed = Array.isArray(stored.closed) ? stored.closed.slice(0, MOST_CLOSED).map((c) => ({ ...c, tab: newTab({ ...c.tab }) })) : [];
      return { tabs, active: tabs.some((t) => t.id === stored.active) ? String(stored.active) : (tabs[0] as Tab).id, closed };
    }
  } catch {
    // said above
  }
  const first = newTab();
  return { tabs: [first], active: first.id, closed: [] };
}

/** Opens one more; of too many, one goes to the closed ones. */
export function withOpened(s: Stored, tab: Tab, isBusy: (id: string) => boolean): Stored {
  const goes = s.tabs.length < MOST ? undefined : superfluous(s.tabs, isBusy);
  const rest = goes ? withClosed(s, goes.id) : s;
  return { ...rest, tabs: [...rest.tabs, tab], active: tab.id };
}

/** One that holds nothing that is not kept elsewhere, else the oldest that does not run. */
function superfluous(tabs: Tab[], isBusy: (id: string) => boolean): Tab | undefined {
  const idle = tabs.filter((t) => !isBusy(t.id));
  return idle.find((t) => t.sql.trim() === "" || t.sql === t.savedSql) ?? idle[0] ?? tabs[0];
}

/** Closes a tab; its text can be had again. */
export function withClosed(s: Stored, id: string): Stored {
  const tab = s.tabs.find((t) => t.id === id);
  if (!tab) return s;
  const at = s.tabs.indexOf(tab);
  const tabs = s.tabs.filter((t) => t.id !== id);
  const closed = tab.sql.trim() ? [{ tab, at, title: titleOf(s.tabs, tab) }, ...s.closed].slice(0, MOST_CLOSED) : s.closed;
  if (tabs.length === 0) {
    const fresh = newTab();
    return { tabs: [fresh], active: fresh.id, closed };
  }
  return { tabs, active: s.active === id ? (tabs[Math.min(at, tabs.length - 1)] as Tab).id : s.active, closed };
}

/** Opens what was closed last, or the closed tab of this id, where it stood. */
export function withReopened(s: Stored, isBusy: (id: string) => boolean, id?: string): Stored {
  const held = id === undefined ? s.closed[0] : s.closed.find((c) => c.tab.id === id);
  if (!held) return s;
  const left = { ...s, closed: s.closed.filter((c) => c !== held) };
  const [only] = left.tabs;
  // The empty tab that came when the last one was closed makes room.
  const blank = left.tabs.length === 1 && only && only.sql === "" && only.name === "";
  const made = withOpened(blank ? { ...left, tabs: [] } : left, held.tab, isBusy);
  const others = made.tabs.slice(0, -1);
  return { ...made, tabs: [...others.slice(0, held.at), held.tab, ...others.slice(held.at)] };
}
