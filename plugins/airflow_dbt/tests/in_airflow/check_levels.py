"""Run by Airflow's own Python: what each level may do with a DAG and with what is in it.

`PYTHONPATH` holds the plugin's `upstream` part. Exit status 0: everything is as it should be.
"""

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity

from openlakes_portal_airflow_dbt.upstream.auth_manager import PortalAuthManager, PortalUser
from openlakes_portal_airflow_dbt.upstream.levels import Level

MAY = {
    Level.VIEWER: {"GET"},
    Level.USER: {"GET", "POST", "PUT", "PATCH"},
    Level.OP: {"GET", "POST", "PUT", "PATCH", "DELETE"},
    Level.ADMIN: {"GET", "POST", "PUT", "PATCH", "DELETE"},
}


def check() -> None:
    manager = PortalAuthManager()
    for level, methods in MAY.items():
        user = PortalUser("x", level)
        for method in MAY[Level.ADMIN]:
            for entity in (None, *DagAccessEntity):
                may = manager.is_authorized_dag(method=method, user=user, access_entity=entity)
                assert may == (method in methods), (level, method, entity)


check()
print("levels: ok")
