"""The one decision: what bindings give, then what the deciders of the permission's plugin say. Default deny.

Questions without a resource are answered for all permissions of a person at once and kept with their session, so that
routes, streams, navigation, pages, actions and search read one and the same set, and a warm request waits for nothing.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import structlog

from openlakes_portal._auth.sessions import Session
from openlakes_portal._host.contribution import Contribution
from openlakes_portal._host.lanes import Lane, LaneBlocked, LaneTimeout
from openlakes_portal._rbac.book import PolicyBook
from openlakes_portal._rbac.explain import from_bindings
from openlakes_portal._rbac.policy import Identity, identity_of, restricted
from openlakes_portal._store.clock import Clock, now
from openlakes_portal.spi import Decider, Decision, DecisionStep, Principal, Question, ScopedGrant, Verdict

MAX_KEPT = 20_000
log = structlog.get_logger("decisions")


@dataclass(frozen=True)
class _Bound:
    plugin: str
    decider: Decider

    @property
    def name(self) -> str:
        return f"{self.plugin}.{self.decider.name}"


_Key = tuple[str, str, tuple[str, ...], frozenset[str] | None, str, str | None, bool]


class Decisions:
    """Decides for one process."""

    def __init__(self, book: PolicyBook, clock: Clock = now) -> None:
        self._book = book
        self._clock = clock
        self._lanes: Mapping[str, Lane] = {}
        self._bound: dict[str, list[_Bound]] = {}
        self._owners: dict[str, list[_Bound]] = {}
        self._asked: dict[_Key, tuple[float, asyncio.Task[DecisionStep]]] = {}
        self._applied: dict[str, tuple[float, Session, Session]] = {}
        self._kept = 1.0

    def open(self, contributions: tuple[Contribution, ...], lanes: Mapping[str, Lane]) -> None:
        """From now on these plugins' deciders are asked."""
        self._lanes = lanes
        self._bound = {}
        self._owners = {}
        for contribution in contributions:
            for decider in contribution.deciders:
                bound = _Bound(contribution.id, decider)
                if decider.decide is not None:
                    self._bound.setdefault(contribution.id, []).append(bound)
                if decider.owner is not None:
                    self._owners.setdefault(contribution.id, []).append(bound)
        self._kept = min((b.decider.cache_seconds for bound in self._bound.values() for b in bound), default=1.0)

    async def decide(self, principal: Principal, permission: str, resource: str | None = None) -> Decision:
        """The decision for somebody who is signed in, by the policy in force now."""
        identity = identity_of(principal)
        decision = from_bindings(self._book.current, identity, permission, resource, self._clock(), principal.limit)
        return await self._judged(principal, decision)

    async def explain(self, identity: Identity, permission: str, resource: str | None = None) -> Decision:
        """The decision for somebody who need not be signed in."""
        moment = self._clock()
        principal = self._book.current.principal(identity, moment)
        decision = from_bindings(self._book.current, identity, permission, resource, moment)
        return await self._judged(principal, decision)

    def knows_owners(self, permission: str) -> bool:
        """Whether the permission's plugin says whose things are."""
        return permission.partition(":")[0] in self._owners

    async def owner(self, permission: str, resource: str | None) -> str | None:
        """Whose a resource is, as the permission's plugin says. One that cannot say has no owner."""
        if resource is None:
            return None
        for bound in self._owners.get(permission.partition(":")[0], ()):
            assert bound.decider.owner is not None
            try:
                lane = self._lanes[bound.plugin]
                found = await lane.run(bound.decider.owner, resource, seconds=bound.decider.timeout)
            except Exception as error:
                log.warning("an owner could not be asked for", decider=bound.name, error=repr(error))
                continue
            if isinstance(found, str):
                return found
        return None

    def known(self, session: Session) -> Session | None:
        """The session with its principal judged by deciders, where that is known: without an await."""
        if not self._bound:
            return session
        entry = self._applied.get(session.id_hash)
        if entry is None or entry[1].principal is not session.principal or time.monotonic() > entry[0]:
            return None
        return replace(session, principal=entry[2].principal)

    async def applied(self, session: Session) -> Session:
        """The same, and the deciders are asked where it is not."""
        known = self.known(session)
        if known is not None:
            return known
        asked = time.monotonic()
        judged = replace(session, principal=await self._judge_all(session.principal))
        if len(self._applied) >= MAX_KEPT:
            self._applied.clear()
        self._applied[session.id_hash] = (asked + self._kept, session, judged)
        return judged

    async def current(self, session: Session) -> Principal:
        """The principal of a session by the policy in force now, deciders included: what an open stream asks."""
        policy = self._book.current
        if session.policy is not policy:
            principal = policy.principal(session.identity, self._clock(), session.public_id)
            if session.principal.limit is not None:
                principal = restricted(principal, session.principal.limit)
            session = replace(session, principal=principal, policy=policy)
        return (await self.applied(session)).principal

    async def _judge_all(self, principal: Principal) -> Principal:
        names = [n for n in self._book.current.permissions if n.partition(":")[0] in self._bound]
        decisions = await asyncio.gather(*(self.decide(principal, name) for name in names))
        given = frozenset(d.permission for d in decisions if d.allowed)
        taken = frozenset(d.permission for d in decisions if not d.allowed and d.decided_by.startswith("decider "))
        scoped = tuple(ScopedGrant(g.filter, g.permissions - taken) for g in principal.scoped)
        return replace(principal, permissions=(principal.permissions - taken) | given, scoped=scoped)

    async def _judged(self, principal: Principal, decision: Decision) -> Decision:
        bound = self._bound.get(decision.permission.partition(":")[0])
        if not bound or _is_final(decision):
            return decision
        question = Question(principal, decision.permission, decision.resource, decision.allowed)
        steps = await asyncio.gather(*(self._ask_once(b, question) for b in bound))
        chain = decision.chain + tuple(steps)
        for step in steps:
            if step.outcome == "denies":
                return replace(decision, allowed=False, decided_by=f"decider {step.name}", chain=chain)
        allowing = [step for step in steps if step.outcome == "allows"]
        if allowing and not decision.allowed:
            return replace(decision, allowed=True, decided_by=f"decider {allowing[0].name}", chain=chain)
        return replace(decision, chain=chain)

    async def _ask_once(self, bound: _Bound, question: Question) -> DecisionStep:
        """One call in flight for one question; its answer is kept as long as the decider says."""
        who = question.principal
        key = (
            bound.name,
            who.identity,
            who.groups,
            who.limit,
            question.permission,
            question.resource,
            question.given,
        )
        entry = self._asked.get(key)
        if entry is None or (entry[1].done() and time.monotonic() > entry[0]):
            if len(self._asked) >= MAX_KEPT:
                self._asked = {k: v for k, v in self._asked.items() if not v[1].done()}
            until = time.monotonic() + bound.decider.cache_seconds
            entry = (until, asyncio.create_task(self._ask(bound, question)))
            self._asked[key] = entry
        return await asyncio.shield(entry[1])

    async def _ask(self, bound: _Bound, question: Question) -> DecisionStep:
        """A decider's word; whatever goes wrong is a refusal that names it."""
        seconds = bound.decider.timeout
        assert bound.decider.decide is not None
        try:
            verdict = await self._lanes[bound.plugin].run(bound.decider.decide, question, seconds=seconds)
            if verdict is None:
                return DecisionStep("decider", bound.name, "no opinion", "It has no opinion.")
            if not isinstance(verdict, Verdict) or not isinstance(verdict.allowed, bool):
                raise TypeError(f"it returned {type(verdict).__name__}, not a Verdict")
            return DecisionStep("decider", bound.name, "allows" if verdict.allowed else "denies", verdict.reason[:300])
        except LaneTimeout:
            reason = f"It did not answer within {seconds:g} s, so the answer is no."
        except LaneBlocked:
            reason = "It does not give control back, so the answer is no."
        except Exception as error:
            log.error("a decider failed", decider=bound.name, permission=question.permission, error=repr(error))
            reason = f"It failed ({type(error).__name__}), so the answer is no."
        return DecisionStep("decider", bound.name, "denies", reason)


def _is_final(decision: Decision) -> bool:
    """Whether no decider can change it: a disabled account, a token too narrow, no such permission."""
    return any(step.kind == "account" and step.outcome == "denies" for step in decision.chain)
