"""A DAG of Airflow (dag id `openlakes_flights_check`): are the five tables of the lakehouse what their source is?

It asks the engine for rows, and for a sum where a table has a number, and fails when one differs. It runs once a day as
no person: with the service account that the file named below holds, which may read these tables and nothing else.
"""

import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow.exceptions import AirflowException, AirflowFailException
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG

CANNOT_BE_ASKED = 3
TOLD = "OPENLAKES_FLIGHTS_CHECK"
"""Names a file: how the tables are reached, and which Python has what reads them."""


def check() -> None:
    """Run the comparison in an environment of its own: what reads tables does not live with Airflow's packages."""
    told = json.loads(Path(os.environ[TOLD]).read_text())
    command = [told["python"], "-I", "-m", "openlakes_portal_stack.components.reconcile"]
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **told["environment"]}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    print(done.stdout, end="")
    if done.returncode == CANNOT_BE_ASKED:  # the engine is on its way, or away for a moment
        raise AirflowException(done.stderr.strip())
    if done.returncode:
        raise AirflowFailException(
            f"A table is not what its source is: {done.stderr.strip() or 'it says nothing more'}"
        )


with DAG(
    "openlakes_flights_check",
    description="Compares rows and a sum of each table of lakehouse.nyc with the source",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    dagrun_timeout=timedelta(minutes=10),
    tags=["openlakes"],
    doc_md=__doc__,
) as dag:
    PythonOperator(task_id="compare", python_callable=check, retries=10, retry_delay=timedelta(seconds=20))
