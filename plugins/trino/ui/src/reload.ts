// Which queries ran when the page went away: one that is loaded again takes them up, one that is closed stops them.
// A page cannot know for certain why it goes. A reload by key or by script is seen before it happens; for the rest the
// server waits a moment for somebody to ask for the query before it stops it.

const KEY = "openlakes.sql.running";
/** Between the key and the page's end. */
const SOON = 1000;

export type LeftRun = { tab: string; query: string };
type Left = { owner: string; runs: LeftRun[] };

let asked = -Infinity;

/** Whether this key makes a browser load the page again: F5, Ctrl or Cmd+R, each with Shift too. */
export function isReloadKey(event: Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey">): boolean {
  return (event.key === "F5" && !event.altKey) || ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "r");
}

type Navigation = { addEventListener: (name: "navigate", listener: (event: { navigationType: string }) => void) => void };

/** Listen for what announces a reload. */
export function watchReload(): void {
  window.addEventListener("keydown", (event) => isReloadKey(event) && (asked = performance.now()), true);
  (window as { navigation?: Navigation }).navigation?.addEventListener("navigate", (event) => {
    if (event.navigationType === "reload") asked = performance.now();
  });
}

/** Whether this page is about to be loaded again, as far as it can know; the pages that take runs up are the plugin's. */
export const isReloading = (): boolean => performance.now() - asked < SOON && location.pathname.startsWith("/x/trino/");

/** Kept for this browser tab alone, over a reload. */
export function rememberRuns(owner: string, runs: LeftRun[]): void {
  try {
    if (runs.length > 0) sessionStorage.setItem(KEY, JSON.stringify({ owner, runs } satisfies Left));
    else sessionStorage.removeItem(KEY);
  } catch {
    // a browser without storage: the tab on top is taken up by its address
  }
}

/** What ran when this page was left, once. */
export function takeRuns(): Left | null {
  try {
    const text = sessionStorage.getItem(KEY);
    sessionStorage.removeItem(KEY);
    const left = JSON.parse(text ?? "null") as Left | null;
    return left && typeof left.owner === "string" && Array.isArray(left.runs) ? left : null;
  } catch {
    return null;
  }
}
