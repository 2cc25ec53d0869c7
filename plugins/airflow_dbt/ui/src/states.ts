// Airflow's words for states, in the console's vocabulary: which mark, and which word beside it.

type Shown = { mark: string; word: string };

const TASKS: Record<string, Shown> = {
  scheduled: { mark: "queued", word: "Scheduled" },
  restarting: { mark: "running", word: "Restarting" },
  deferred: { mark: "running", word: "Waits for an event" },
  awaiting_input: { mark: "degraded", word: "Waits for a person" },
  up_for_retry: { mark: "degraded", word: "Tries again soon" },
  up_for_reschedule: { mark: "queued", word: "Looks again soon" },
  upstream_failed: { mark: "cancelled", word: "Not run: one before it failed" },
  skipped: { mark: "cancelled", word: "Skipped" },
  removed: { mark: "cancelled", word: "Removed" },
};

const SHARED: Record<string, string> = { queued: "Queued", running: "Running", success: "Success", failed: "Failed" };

/** The mark and the word of a task's or a run's state; a task that nobody has looked at yet has none. */
export function shown(state: string | null): Shown {
  if (state === null) return { mark: "unknown", word: "Not yet" };
  return TASKS[state] ?? { mark: state in SHARED ? state : "unknown", word: SHARED[state] ?? state.replaceAll("_", " ") };
}

/** States in which nothing more happens. */
export const OVER = new Set(["success", "failed", "upstream_failed", "skipped", "removed"]);

/** Seconds from the beginning to the end, or to now; null before the beginning. */
export function seconds(of: { started_at: string | null; ended_at: string | null }, now: Date): number | null {
  if (!of.started_at) return null;
  const end = of.ended_at ? Date.parse(of.ended_at) : now.getTime();
  return Math.max(0, (end - Date.parse(of.started_at)) / 1000);
}

/** How a run began, in words. */
export function began(type: string, by: string | null): string {
  if (by) return by;
  const types: Record<string, string> = { scheduled: "its schedule", backfill: "a backfill", asset_triggered: "new data", manual: "by hand" };
  return types[type] ?? type;
}
