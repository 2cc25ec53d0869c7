"""What the palette finds: DAGs by a part of their name, as the person who asks sees them."""

from collections.abc import Sequence

from openlakes_portal.spi import Principal, SearchProvider, SearchResult
from openlakes_portal_airflow_dbt.access import READ
from openlakes_portal_airflow_dbt.client import Airflow


def search_providers(airflow: Airflow) -> list[SearchProvider]:
    """DAGs."""

    async def dags(principal: Principal, text: str, limit: int) -> Sequence[SearchResult]:
        found = await airflow.dags(principal, search=text.strip(), limit=limit)
        return [
            SearchResult(
                dag.dag_id,
                dag.dag_display_name,
                "DAG",
                "dag",
                (("dag", dag.dag_id),),
                "Paused" if dag.is_paused else dag.timetable_summary,
                "pipeline",
            )
            for dag in found.dags
        ]

    return [SearchProvider("dags", dags, access=READ)]
