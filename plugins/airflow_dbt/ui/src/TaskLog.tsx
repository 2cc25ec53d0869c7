// The log of one try of a task, followed as long as the task runs.
import { ErrorState, LogLines, Status } from "@openlakes/ui";
import type { ReactElement } from "react";
import type { Task } from "./types";
import { useTaskLog } from "./use-task-log";

type Props = { dag: string; run: string; task: Task; attempt: number; over: boolean };

export function TaskLog({ dag, run, task, attempt, over }: Props): ReactElement {
  const log = useTaskLog({ dag, run, task: task.id, mapIndex: task.map_index, attempt, over });
  if (log.error && log.lines.length === 0)
    return (
      <section className="panel" aria-label="Log">
        <ErrorState error={log.error} />
      </section>
    );
  const state = log.error ? (
    <Status state="degraded" label={`not read on: ${log.error.message}`} />
  ) : (
    <Status state={log.ended ? "finished" : "running"} label={log.ended ? "complete" : "following"} />
  );
  const name = task.map_index < 0 ? task.name : `${task.name}[${task.map_index}]`;
  return <LogLines title={`Log of ${name}${attempt > 1 ? `, try ${attempt}` : ""}`} lines={log.lines} dropped={log.dropped} state={state} />;
}
