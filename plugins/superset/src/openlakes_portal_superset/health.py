"""Health of Superset: does it answer, and is it a version that this was made for?"""

from openlakes_portal.spi import HealthCheck, HealthReport
from openlakes_portal.spi.context import Context
from openlakes_portal_superset import errors
from openlakes_portal_superset.settings import AUDIENCE, Settings

TESTED = "6.1"


def health_checks(context: Context[Settings]) -> list[HealthCheck]:
    """One."""

    async def check() -> HealthReport:
        if context.settings.address is None:
            return HealthReport.missing("No Superset is configured.", "Set plugins.superset.address.")
        client = context.upstream(AUDIENCE)
        answer = await client.request("GET", "health", raise_for_status=False)
        if answer.status != 200 or answer.content.strip() != b"OK":
            return HealthReport.down(
                f"{context.settings.address} does not answer as Superset does ({answer.status}).",
                "Check that plugins.superset.address is Superset itself, with its prefix, and see Superset's log.",
            )
        told = errors.read(await client.request("GET", "version", raise_for_status=False)).get("version_string")
        version = told if isinstance(told, str) and told else "unknown"
        # Nobody is signed in: whoever is let in now is let in without the portal.
        nobody = await client.request("GET", "api/v1/me/", raise_for_status=False)
        if nobody.status == 200:
            return HealthReport.degraded(
                "Superset answers who is signed in, without the portal having said so.",
                "Let its settings come from openlakes_portal_superset.upstream; see the operators' page.",
                version=version,
            )
        if not version.startswith("6."):
            return HealthReport.degraded(
                f"This is Superset {version}; the portal is tested with {TESTED}.",
                "What it shows may be incomplete; Superset's own pages work as ever.",
                version=version,
            )
        return HealthReport.healthy(version=version)

    return [
        HealthCheck(
            "superset", check, timeout=10.0, interval=10.0, title="Superset", address=str(context.settings.address)
        )
    ]
