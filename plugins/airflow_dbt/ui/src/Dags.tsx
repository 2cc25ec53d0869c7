// All DAGs that Airflow lets this person see: searched by name there, drawn as one dense row each.
import { EmptyState, Link, Panel, plural, Table, TextInput, Time, useSearchParams, type TableColumn } from "@openlakes/ui";
import { useDeferredValue, type ReactElement } from "react";
import "./airflow.css";
import { OpenInAirflow } from "./OpenInAirflow";
import { Rows, usePages } from "./paging";
import { PauseSwitch } from "./PauseSwitch";
import { RunStrip } from "./RunStrip";
import { StateOf } from "./StateOf";
import { BASE, dagPage, type Dag } from "./types";

const COLUMNS: TableColumn<Dag>[] = [
  { id: "name", label: "DAG", value: (dag) => dag.name, render: (dag) => <Name dag={dag} /> },
  {
    id: "state",
    label: "Last run",
    value: (dag) => dag.runs[0]?.state,
    render: (dag) => (dag.runs[0] ? <StateOf state={dag.runs[0].state} /> : <span className="t3">never</span>),
  },
  { id: "runs", label: "Runs", value: (dag) => dag.runs.length, render: (dag) => <RunStrip dag={dag.id} runs={dag.runs} />, wide: true },
  { id: "schedule", label: "Schedule", value: (dag) => dag.schedule, render: (dag) => <span className="small">{dag.schedule ?? "none"}</span>, wide: true },
  {
    id: "next",
    label: "Next run",
    value: (dag) => dag.next_run,
    render: (dag) => (dag.next_run ? <Time at={dag.next_run} /> : <span className="t3">{dag.paused ? "paused" : "none"}</span>),
    wide: true,
  },
  { id: "active", label: "Active", value: (dag) => !dag.paused, render: (dag) => <PauseSwitch dag={dag} /> },
];

export function Dags(): ReactElement {
  const [parameters, setParameters] = useSearchParams();
  const text = parameters.get("q") ?? "";
  const search = useDeferredValue(text.trim());
  const list = usePages<Dag>(`${BASE}/dags`, { limit: "50", ...(search ? { search } : {}) }, 10);
  const total = list.data?.pages.at(-1)?.total;
  return (
    <Panel
      label="DAGs"
      title={
        <TextInput
          className="filter"
          aria-label="Name of a DAG"
          placeholder="Name"
          value={text}
          onChange={(event) => setParameters(event.currentTarget.value ? { q: event.currentTarget.value } : {}, { replace: true })}
        />
      }
      actions={
        <>
          {total === undefined ? null : <span className="small t3 nowrap">{plural(total, "DAG")}</span>}
          <OpenInAirflow />
        </>
      }
    >
      <Rows list={list} noun="DAG">
        {(dags) => (
          <Table
            label="DAGs"
            columns={COLUMNS}
            rows={dags}
            rowKey={(dag) => dag.id}
            empty={
              search ? (
                <EmptyState title={`No DAG has "${search}" in its name`} />
              ) : (
                <EmptyState title="There is no DAG yet">Airflow shows what its DAG processor has read, and what your role lets you see.</EmptyState>
              )
            }
          />
        )}
      </Rows>
    </Panel>
  );
}

function Name({ dag }: { dag: Dag }): ReactElement {
  return (
    <div className="dag-name">
      <Link to={dagPage(dag.id)}>{dag.name}</Link>
      {dag.broken ? <span className="tag bad">import error</span> : null}
      {dag.tags.map((tag) => (
        <span key={tag} className="tag only-l">
          {tag}
        </span>
      ))}
      {dag.description ? <span className="small t3 dag-words">{dag.description}</span> : null}
    </div>
  );
}
