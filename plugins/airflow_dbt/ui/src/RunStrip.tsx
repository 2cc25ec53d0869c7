// The last runs of a DAG, oldest first: the height is the duration, the shape the state, the colour comes third.
import { formatDuration, Link, useNow } from "@openlakes/ui";
import type { ReactElement } from "react";
import { seconds, shown } from "./states";
import { runPage, type RunMark } from "./types";

const LOWEST = 5;
const HIGHEST = 22;

export function RunStrip({ dag, runs }: { dag: string; runs: RunMark[] }): ReactElement {
  const now = useNow(10_000);
  if (runs.length === 0) return <span className="small t3 nowrap">no runs yet</span>;
  const durations = runs.map((run) => seconds(run, now) ?? 0);
  const longest = Math.max(...durations, 1);
  return (
    <span className="run-strip">
      {runs
        .map((run, i) => {
          const { mark, word } = shown(run.state);
          const duration = durations[i] ?? 0;
          const words = `${word}${run.started_at ? `, ${formatDuration(duration)}` : ""}, ${run.id}`;
          return (
            <Link key={run.id} to={runPage(dag, run.id)} className="run-mark" aria-label={words} title={words}>
              <span data-state={mark} style={{ height: Math.round(LOWEST + (HIGHEST - LOWEST) * (duration / longest)) }} />
            </Link>
          );
        })
        .reverse()}
    </span>
  );
}
