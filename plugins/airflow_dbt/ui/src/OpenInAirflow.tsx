// The way from a page of ours to the same thing in Airflow's own pages, for who may open them.
import { Icon, Link, useApi, usePermission } from "@openlakes/ui";
import type { ReactElement } from "react";
import { BASE, inAirflow, type About } from "./types";

export function OpenInAirflow({ dag, run }: { dag?: string; run?: string }): ReactElement | null {
  const may = usePermission("airflow_dbt:airflow:open");
  const about = useApi<About>(may ? `${BASE}/about` : null);
  if (!about.data) return null;
  const { app, title } = about.data;
  return (
    <Link className="link-button nowrap" to={dag ? inAirflow(app, dag, run) : `/app/${app}/`}>
      <Icon name="app" /> Open in {title}
    </Link>
  );
}
