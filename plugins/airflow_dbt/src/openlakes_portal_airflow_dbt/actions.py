"""What people do with DAGs: start a run, pause one, let it go on. Airflow decides whether they may, and knows who."""

import json
from typing import Any

from pydantic import BaseModel, Field

from openlakes_portal.spi import Action, ActionCall, ActionResult, AuditEventType, Context, FieldError, InvalidInput
from openlakes_portal_airflow_dbt.access import PAUSE, TRIGGER
from openlakes_portal_airflow_dbt.client import Airflow
from openlakes_portal_airflow_dbt.settings import Settings

STARTED = AuditEventType("airflow_dbt.run.started", "A run of a DAG was started in Airflow; the object is DAG and run")
PAUSED = AuditEventType("airflow_dbt.dag.paused", "A DAG was paused in Airflow")
RESUMED = AuditEventType("airflow_dbt.dag.resumed", "A paused DAG was let go on in Airflow")
EVENTS = [STARTED, PAUSED, RESUMED]
MAX_ID = 250
MAX_CONF = 64 * 1024


class Start(BaseModel, extra="forbid"):
    """A run to be started."""

    dag: str = Field(min_length=1, max_length=MAX_ID, title="DAG", description="Its id")
    conf: str = Field(
        "{}",
        max_length=MAX_CONF,
        title="Configuration",
        description="A JSON object: what the run gets as its parameters",
    )
    note: str = Field("", max_length=1000, description="Why, for who looks at the run later")


class Named(BaseModel, extra="forbid"):
    """A DAG."""

    dag: str = Field(min_length=1, max_length=MAX_ID, title="DAG", description="Its id")


def actions(context: Context[Settings], airflow: Airflow) -> list[Action]:
    """All of them; none where no Airflow is configured."""
    if context.settings.address is None:
        return []
    name = context.settings.title

    async def start(call: ActionCall, given: Start) -> ActionResult:
        conf = _conf(given.conf)
        dag = await airflow.dag(call.principal, given.dag)
        waits = f" {dag.dag_id} is paused: the run waits in the queue until it goes on." if dag.is_paused else ""
        effects = (f"{dag.dag_id} runs once, as {call.principal.username}", f"configuration: {json.dumps(conf)}")
        if call.dry_run:
            return ActionResult(f"A run of {dag.dag_id} would start.{waits}", effects)
        run = await airflow.trigger(call.principal, dag.dag_id, conf=conf, note=given.note.strip() or None)
        await context.audit(STARTED.name, call.principal, object=f"{run.dag_id}/{run.dag_run_id}")
        return ActionResult(
            f"A run of {dag.dag_id} started.{waits}",
            effects,
            link="run",
            query=(("dag", run.dag_id), ("run", run.dag_run_id)),
            output={"dag": run.dag_id, "run": run.dag_run_id, "state": run.state},
        )

    async def pause(call: ActionCall, given: Named) -> ActionResult:
        dag = await airflow.dag(call.principal, given.dag)
        effects = ("its schedule starts no runs", "runs that are under way go on")
        if dag.is_paused:
            return ActionResult(f"{dag.dag_id} is paused already.", link="dag", query=(("dag", dag.dag_id),))
        if call.dry_run:
            return ActionResult(f"{dag.dag_id} would be paused.", effects)
        await airflow.set_paused(call.principal, dag.dag_id, True)
        await context.audit(PAUSED.name, call.principal, object=dag.dag_id)
        return ActionResult(f"{dag.dag_id} is paused.", effects, link="dag", query=(("dag", dag.dag_id),))

    async def resume(call: ActionCall, given: Named) -> ActionResult:
        dag = await airflow.dag(call.principal, given.dag)
        effects = ("its schedule starts runs again", "runs that waited in the queue start")
        if not dag.is_paused:
            return ActionResult(f"{dag.dag_id} is not paused.", link="dag", query=(("dag", dag.dag_id),))
        if call.dry_run:
            return ActionResult(f"{dag.dag_id} would go on.", effects)
        await airflow.set_paused(call.principal, dag.dag_id, False)
        await context.audit(RESUMED.name, call.principal, object=dag.dag_id)
        return ActionResult(f"{dag.dag_id} goes on.", effects, link="dag", query=(("dag", dag.dag_id),))

    return [
        Action(
            "start-run",
            "Start a run",
            f"Starts a run of a DAG in {name}, as you.",
            Start,
            start,
            access=TRIGGER,
            quick=True,
            roles=("data-engineer", "analytics-engineer"),
            audit_object="dag",
        ),
        Action(
            "pause-dag",
            "Pause DAG",
            f"Pauses a DAG in {name}.",
            Named,
            pause,
            access=PAUSE,
            icon="pause",
            audit_object="dag",
        ),
        Action(
            "resume-dag",
            "Resume DAG",
            f"Lets a paused DAG in {name} go on.",
            Named,
            resume,
            access=PAUSE,
            audit_object="dag",
        ),
    ]


def _conf(text: str) -> dict[str, Any]:
    """The configuration of a run. Raises `InvalidInput` with where it is wrong."""
    try:
        conf = json.loads(text or "{}")
        # As it will be sent: Python reads NaN, 1e999 and halves of characters, which no JSON can say.
        json.dumps(conf, allow_nan=False, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise _wrong(f"It is no JSON: {error.msg} in line {error.lineno}, column {error.colno}.") from None
    except RecursionError:
        raise _wrong("It is nested too deeply.") from None
    except ValueError:
        raise _wrong("It holds a number or a character that JSON has not (NaN, 1e999), or a number too long.") from None
    if not isinstance(conf, dict):
        raise _wrong('It is no JSON object: write {"name": value}.')
    return conf


def _wrong(words: str) -> InvalidInput:
    return InvalidInput("The configuration cannot be used.", errors=(FieldError("/conf", words),))
