// One run: how it stands, its tasks, and the log of the one that is looked at.
import { CodeBlock, EmptyState, Icon, Link, Loaded, Panel, Table, Time, useApi, useNow, useSearchParams, type TableColumn } from "@openlakes/ui";
import type { ReactElement } from "react";
import "./airflow.css";
import { Duration, Fact } from "./DagPage";
import { OpenInAirflow } from "./OpenInAirflow";
import { PauseSwitch } from "./PauseSwitch";
import { StateOf } from "./StateOf";
import { began, OVER, seconds } from "./states";
import { TaskLog } from "./TaskLog";
import { dagPage, dagRoute, DAGS_PAGE, runPage, runRoute, type DagDetails, type RunDetails, type Task } from "./types";

const keyOf = (task: Task): string => (task.map_index < 0 ? task.id : `${task.id}[${task.map_index}]`);

export function RunPage(): ReactElement {
  const [parameters] = useSearchParams();
  const dag = parameters.get("dag");
  const run = parameters.get("run");
  if (!dag || !run) return <EmptyState title="No run is named in the address" action={<Link to={DAGS_PAGE}>See all DAGs</Link>} />;
  return <OneRun key={`${dag} ${run}`} dag={dag} run={run} task={parameters.get("task")} attempt={parameters.get("try")} />;
}

function OneRun({ dag, run, task, attempt }: { dag: string; run: string; task: string | null; attempt: string | null }): ReactElement {
  const details = useApi<RunDetails>(runRoute(dag, run), { refresh: 2 });
  return (
    <>
      <div className="row wrap dag-head">
        <div className="grow">
          <div className="crumbs">
            <Link to={DAGS_PAGE}>DAGs</Link> / <Link to={dagPage(dag)}>{dag}</Link>
          </div>
          <h2 className="dag-title">{run}</h2>
        </div>
        <OpenInAirflow dag={dag} run={run} />
      </div>
      <Loaded query={details} rows={8} framed>
        {(found) => <Found run={found} wanted={task} attempt={attempt} />}
      </Loaded>
    </>
  );
}

/** The task to look at where the address names none: the one that failed, else one that runs, else the last that began. */
export function lookedAt(tasks: Task[], wanted: string | null): Task | undefined {
  const begun = tasks.filter(({ started_at, tries }) => started_at && tries > 0);
  return (
    tasks.find((task) => keyOf(task) === wanted) ??
    begun.find(({ state }) => state === "failed") ??
    begun.find(({ state }) => state === "running") ??
    begun.at(-1)
  );
}

function Found({ run, wanted, attempt }: { run: RunDetails; wanted: string | null; attempt: string | null }): ReactElement {
  const now = useNow(1000);
  const task = lookedAt(run.tasks, wanted);
  const conf = Object.keys(run.conf).length > 0 ? JSON.stringify(run.conf, null, 2) : null;
  return (
    <>
      {run.state === "queued" ? <Waiting dag={run.dag} /> : null}
      <Panel label="The run">
        <div className="facts">
          <Fact label="State">
            <StateOf state={run.state} />
          </Fact>
          <Fact label="Started by">{began(run.type, run.by)}</Fact>
          <Fact label="Started">
            <Time at={run.started_at ?? run.queued_at} />
          </Fact>
          <Fact label="Duration">
            <Duration of={run} now={now} />
          </Fact>
        </div>
        {run.note ? <p className="panel-body t2">{run.note}</p> : null}
        {conf ? <CodeBlock text={conf} label="Configuration" /> : null}
      </Panel>
      <Tasks run={run} now={now} open={task} />
      {task ? <LogOf run={run} task={task} attempt={Number(attempt) || task.tries} /> : null}
    </>
  );
}

/** The log of a try; before the first one Airflow has none, and answers 404 to who asks. */
function LogOf({ run, task, attempt }: { run: RunDetails; task: Task; attempt: number }): ReactElement {
  const over = task.state !== null && OVER.has(task.state);
  if (attempt === 0)
    return (
      <Panel label={`Log of ${keyOf(task)}`}>
        <EmptyState title={over ? `${keyOf(task)} never ran: it has no log` : `${keyOf(task)} has not begun: its log will stand here`} />
      </Panel>
    );
  return <TaskLog key={`${keyOf(task)} ${attempt}`} dag={run.dag} run={run.id} task={task} attempt={attempt} over={over} />;
}

/** Why a run waits, where it is the DAG that is paused. */
function Waiting({ dag }: { dag: string }): ReactElement | null {
  const found = useApi<DagDetails>(dagRoute(dag), { refresh: 5 });
  if (!found.data?.paused) return null;
  return (
    <div className="notice" data-tone="warn">
      <Icon name="warn" />
      <span className="grow">{dag} is paused: the run waits until it goes on.</span>
      <PauseSwitch dag={found.data} />
    </div>
  );
}

function Tasks({ run, now, open }: { run: RunDetails; now: Date; open: Task | undefined }): ReactElement {
  const columns: TableColumn<Task>[] = [
    { id: "state", label: "State", value: (task) => task.state, render: (task) => <StateOf state={task.state} /> },
    {
      id: "task",
      label: "Task",
      value: keyOf,
      render: (task) => (
        <Link to={runPage(run.dag, run.id, { task: keyOf(task) })} aria-current={task === open || undefined} replace>
          {keyOf(task)}
        </Link>
      ),
    },
    { id: "tries", label: "Tries", numeric: true, value: (task) => task.tries, render: (task) => <Tries run={run} task={task} /> },
    { id: "operator", label: "Operator", value: (task) => task.operator, wide: true },
    { id: "started", label: "Started", value: (task) => task.started_at, render: (task) => <Time at={task.started_at} />, wide: true },
    { id: "duration", label: "Duration", numeric: true, value: (task) => seconds(task, now), render: (task) => <Duration of={task} now={now} /> },
  ];
  return (
    <Panel title="Tasks" badge={run.tasks_total > run.tasks.length ? `${run.tasks.length} of ${run.tasks_total}` : run.tasks.length}>
      <Table label="Tasks" columns={columns} rows={run.tasks} rowKey={keyOf} empty={<EmptyState title="It has no task yet" />} />
    </Panel>
  );
}

/** Links to the log of each try. */
function Tries({ run, task }: { run: RunDetails; task: Task }): ReactElement {
  if (task.tries <= 1) return <>{task.tries}</>;
  return (
    <span className="row">
      {Array.from({ length: Math.min(task.tries, 20) }, (_, i) => i + 1).map((n) => (
        <Link key={n} to={runPage(run.dag, run.id, { task: keyOf(task), try: String(n) })} aria-label={`Try ${n} of ${keyOf(task)}`} replace>
          {n}
        </Link>
      ))}
    </span>
  );
}
