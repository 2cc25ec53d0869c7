"""The plugin's permissions. What a person may in Airflow itself, Airflow decides by their roles; both must agree."""

from openlakes_portal.spi import Permission

ENGINEERS = ("data-engineer", "analytics-engineer")

READ = Permission("airflow_dbt:dag:read", "See DAGs, their runs and the logs of these", roles=ENGINEERS)
TRIGGER = Permission(
    "airflow_dbt:run:trigger", "Start runs of DAGs", roles=ENGINEERS, implies=("airflow_dbt:dag:read",)
)
PAUSE = Permission(
    "airflow_dbt:dag:pause",
    "Pause DAGs and let them go on",
    roles=ENGINEERS,
    implies=("airflow_dbt:dag:read",),
)
OPEN = Permission("airflow_dbt:airflow:open", "Open Airflow's own pages", roles=ENGINEERS)
PERMISSIONS = [READ, TRIGGER, PAUSE, OPEN]
