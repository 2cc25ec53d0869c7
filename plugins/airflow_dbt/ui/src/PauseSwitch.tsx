// Whether a DAG is let run by itself. Airflow knows who switched.
import { api, Switch, toast, useApiMutation, usePermission } from "@openlakes/ui";
import type { ReactElement } from "react";
import { BASE, type Dag } from "./types";

type Outcome = { message: string };

export function PauseSwitch({ dag }: { dag: Pick<Dag, "id" | "paused"> }): ReactElement {
  const may = usePermission("airflow_dbt:dag:pause");
  const change = useApiMutation<boolean, Outcome>(
    (active) => api(`/api/actions/airflow_dbt.${active ? "resume" : "pause"}-dag`, { method: "POST", body: { dag: dag.id } }),
    [BASE],
  );
  return (
    <Switch
      aria-label={`${dag.id} runs by itself`}
      title={may ? undefined : "Needs airflow_dbt:dag:pause"}
      checked={!dag.paused}
      disabled={!may || change.isPending}
      onChange={(event) =>
        change.mutate(event.currentTarget.checked, {
          onSuccess: ({ message }) => toast("ok", message),
          onError: (error) => toast("bad", error.message),
        })
      }
    />
  );
}
