// Status: a shape and a word, colour third. The same vocabulary everywhere.
import type { ReactElement } from "react";

const DISC = <circle cx="5" cy="5" r="4" fill="currentColor" />;
const RING = <circle cx="5" cy="5" r="3.4" fill="none" stroke="currentColor" strokeWidth="1.6" />;
const TRIANGLE = <path d="M5 .8 9.6 9H.4z" fill="currentColor" />;
const SQUARE = <rect x="1" y="1" width="8" height="8" fill="currentColor" />;
const DASHED = (
  <rect x="1.2" y="1.2" width="7.6" height="7.6" fill="none" stroke="currentColor" strokeWidth="1.6" strokeDasharray="2.2 1.6" />
);
const ARC = <path d="M5 1a4 4 0 1 1-4 4" fill="none" stroke="currentColor" strokeWidth="2" />;
const BAR = <path d="M1 5h8" fill="none" stroke="currentColor" strokeWidth="2" />;

type Mark = { tone: string; shape: ReactElement; word: string };

const MARKS: Record<string, Mark> = {
  healthy: { tone: "ok", shape: DISC, word: "Healthy" },
  degraded: { tone: "warn", shape: TRIANGLE, word: "Degraded" },
  down: { tone: "bad", shape: SQUARE, word: "Down" },
  missing: { tone: "bad", shape: DASHED, word: "Missing" },
  starting: { tone: "info", shape: ARC, word: "Starting" },
  unknown: { tone: "idle", shape: RING, word: "Unknown" },
  queued: { tone: "idle", shape: RING, word: "Queued" },
  running: { tone: "info", shape: ARC, word: "Running" },
  success: { tone: "ok", shape: DISC, word: "Success" },
  finished: { tone: "ok", shape: DISC, word: "Finished" },
  failed: { tone: "bad", shape: SQUARE, word: "Failed" },
  cancelled: { tone: "idle", shape: BAR, word: "Cancelled" },
  firing: { tone: "bad", shape: SQUARE, word: "Firing" },
  pending: { tone: "warn", shape: TRIANGLE, word: "Pending" },
  silenced: { tone: "idle", shape: BAR, word: "Silenced" },
  inhibited: { tone: "idle", shape: BAR, word: "Inhibited" },
  active: { tone: "ok", shape: DISC, word: "Active" },
  quarantined: { tone: "bad", shape: SQUARE, word: "Quarantined" },
  disabled: { tone: "idle", shape: RING, word: "Disabled" },
};

export const STATE_ORDER = ["down", "missing", "degraded", "starting", "unknown", "healthy"];

/** A state as mark and word; `label` replaces the word ("9 healthy"). */
export function Status({ state, label }: { state: string; label?: string }): ReactElement {
  const mark = MARKS[state] ?? { tone: "idle", shape: RING, word: state };
  return (
    <span className={`st ${mark.tone}`} data-state={state}>
      <svg viewBox="0 0 10 10" aria-hidden="true">
        {mark.shape}
      </svg>
      {label ?? mark.word}
    </span>
  );
}
