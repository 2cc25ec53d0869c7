// Starting a run: the portal's own dialog of the action, filled in with what the DAG expects.
import { ActionDialog, ErrorState, GatedButton, Icon, Modal, useApi, type ActionInfo } from "@openlakes/ui";
import { useState, type ReactElement } from "react";
import { dagRoute, type DagDetails } from "./types";

const START = "airflow_dbt.start-run";

export function StartRun({ dag }: { dag: string }): ReactElement {
  const [open, setOpen] = useState(false);
  return (
    <>
      <GatedButton permission="airflow_dbt:run:trigger" leftSection={<Icon name="play" />} onClick={() => setOpen(true)}>
        Start a run
      </GatedButton>
      {open ? <StartDialog dag={dag} onClose={() => setOpen(false)} /> : null}
    </>
  );
}

function StartDialog({ dag, onClose }: { dag: string; onClose: () => void }): ReactElement | null {
  const actions = useApi<{ items: ActionInfo[] }>("/api/actions");
  const details = useApi<DagDetails>(dagRoute(dag));
  const error = actions.error ?? details.error;
  if (error)
    return (
      <Modal opened onClose={onClose} title="Start a run">
        <ErrorState error={error} />
      </Modal>
    );
  const action = actions.data?.items.find(({ id }) => id === START);
  return action && details.data ? <ActionDialog action={filledIn(action, details.data)} onClose={onClose} /> : null;
}

/** The action with this DAG's name and parameters in its form. */
export function filledIn(action: ActionInfo, dag: Pick<DagDetails, "id" | "conf">): ActionInfo {
  const defaults: Record<string, unknown> = { dag: dag.id, conf: JSON.stringify(dag.conf, null, 2) };
  const properties = Object.entries(action.input_schema.properties ?? {}).map(([name, field]) => [
    name,
    name in defaults ? { ...field, default: defaults[name] } : field,
  ]);
  return { ...action, input_schema: { ...action.input_schema, properties: Object.fromEntries(properties) } };
}
