"""For tests of plugins: a portal in the test's own process, fakes of upstreams over real sockets, the conformance kit.

Installing core makes the pytest fixtures known (`portal`, `upstream`, `portal_settings`, `portal_plugins`):

    async def test_an_analyst_sees_the_report_as_herself(portal, upstream):
        upstream("billing").get("/v1/report").answers({"total": 12.5, "days": [], "datasets": []})
        answer = await portal.signed_in("bi-analyst").get("/api/plugins/cost/report")
        assert answer.json()["total"] == 12.5
        assert upstream("billing").last.token.subject == "bi-analyst"
"""

from openlakes_portal.testing.conformance import Finding, check_plugin
from openlakes_portal.testing.faults import FAULTS, faulty
from openlakes_portal.testing.portal import PortalUnderTest, SignedIn, candidate_for, portal_for
from openlakes_portal.testing.upstream import FakeUpstream, ReceivedRequest, ReceivedToken

__all__ = [
    "FAULTS",
    "FakeUpstream",
    "Finding",
    "PortalUnderTest",
    "ReceivedRequest",
    "ReceivedToken",
    "SignedIn",
    "candidate_for",
    "check_plugin",
    "faulty",
    "portal_for",
]
