// One DAG: what it is, when it runs, its runs.
import { EmptyState, formatDuration, Icon, Link, Loaded, Markdown, Panel, Table, Time, useApi, useNow, useSearchParams, type TableColumn } from "@openlakes/ui";
import type { ReactElement, ReactNode } from "react";
import "./airflow.css";
import { OpenInAirflow } from "./OpenInAirflow";
import { Rows, usePages } from "./paging";
import { PauseSwitch } from "./PauseSwitch";
import { RunStrip } from "./RunStrip";
import { StartRun } from "./StartRun";
import { StateOf } from "./StateOf";
import { began, seconds } from "./states";
import { dagRoute, DAGS_PAGE, runPage, type DagDetails, type Run } from "./types";

export function DagPage(): ReactElement {
  const [parameters] = useSearchParams();
  const id = parameters.get("dag");
  if (!id) return <EmptyState title="No DAG is named in the address" action={<Link to={DAGS_PAGE}>See all DAGs</Link>} />;
  return <OneDag key={id} id={id} />;
}

function OneDag({ id }: { id: string }): ReactElement {
  const dag = useApi<DagDetails>(dagRoute(id), { refresh: 10 });
  return (
    <>
      <div className="row wrap dag-head">
        <div className="grow">
          <div className="crumbs">
            <Link to={DAGS_PAGE}>DAGs</Link>
          </div>
          <h2 className="dag-title">{dag.data?.name ?? id}</h2>
        </div>
        <OpenInAirflow dag={id} />
        <StartRun dag={id} />
      </div>
      <Loaded query={dag} rows={5} framed>
        {(found) => <About dag={found} />}
      </Loaded>
      <Runs dag={id} />
    </>
  );
}

export function Fact({ label, children }: { label: string; children: ReactNode }): ReactElement {
  return (
    <div className="fact">
      <span>{label}</span>
      <b>{children}</b>
    </div>
  );
}

function About({ dag }: { dag: DagDetails }): ReactElement {
  return (
    <Panel label={`About ${dag.id}`}>
      {dag.broken ? (
        <p className="notice" data-tone="bad">
          <Icon name="warn" />
          Its file cannot be read since its last change: Airflow goes on with what it read before.
        </p>
      ) : null}
      <div className="facts">
        <Fact label="Schedule">{dag.schedule_words || dag.schedule || "none"}</Fact>
        <Fact label="Next run">{dag.next_run ? <Time at={dag.next_run} /> : dag.paused ? "paused" : "none"}</Fact>
        <Fact label="Owner">{dag.owners.join(", ") || "nobody"}</Fact>
        <Fact label="Last runs">
          <RunStrip dag={dag.id} runs={dag.runs} />
        </Fact>
        <Fact label="Active">
          <PauseSwitch dag={dag} />
        </Fact>
      </div>
      {dag.description ? <p className="panel-body t2">{dag.description}</p> : null}
      {dag.doc ? <Markdown text={dag.doc} /> : null}
    </Panel>
  );
}

function Runs({ dag }: { dag: string }): ReactElement {
  const now = useNow(5000);
  const list = usePages<Run>(`${dagRoute(dag)}/runs`, { limit: "50" }, 5);
  const columns: TableColumn<Run>[] = [
    { id: "state", label: "State", value: (run) => run.state, render: (run) => <StateOf state={run.state} /> },
    { id: "run", label: "Run", value: (run) => run.id, render: (run) => <Link to={runPage(run.dag, run.id)}>{run.id}</Link> },
    { id: "by", label: "Started by", value: (run) => began(run.type, run.by), wide: true },
    { id: "started", label: "Started", value: (run) => run.started_at, render: (run) => <Time at={run.started_at ?? run.queued_at} /> },
    {
      id: "duration",
      label: "Duration",
      numeric: true,
      value: (run) => seconds(run, now),
      render: (run) => <Duration of={run} now={now} />,
    },
    { id: "note", label: "Note", value: (run) => run.note, wide: true },
  ];
  return (
    <Panel title="Runs" badge={list.data?.pages.at(-1)?.total}>
      <Rows list={list} noun="run">
        {(runs) => <Table label="Runs" columns={columns} rows={runs} rowKey={(run) => run.id} empty={<EmptyState title="It has not run yet" />} />}
      </Rows>
    </Panel>
  );
}

export function Duration({ of, now }: { of: { started_at: string | null; ended_at: string | null }; now: Date }): ReactElement {
  const taken = seconds(of, now);
  return taken === null ? <span className="t3">not begun</span> : <span className="nowrap">{formatDuration(taken)}</span>;
}
