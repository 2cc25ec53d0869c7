"""Why somebody may or may not, as far as bindings go: each binding that could give it, and what became of it."""

from datetime import datetime

from openlakes_portal._rbac.policy import Binding, Identity, Policy
from openlakes_portal._rbac.resources import ResourceError, check_resource
from openlakes_portal.spi import Decision, DecisionStep


def from_bindings(
    policy: Policy,
    identity: Identity,
    permission: str,
    resource: str | None,
    at: datetime,
    limit: frozenset[str] | None = None,
) -> Decision:
    """The decision before any decider is asked."""

    def final(name: str, detail: str) -> Decision:
        return Decision(False, permission, resource, name, (DecisionStep("account", name, "denies", detail),))

    if permission not in policy.permissions:
        return final("no such permission", "No active plugin has a permission of this name.")
    if identity.key in policy.disabled:
        return final("account", "The account is disabled in the portal.")
    if limit is not None and permission not in limit:
        return final("token", "The API token does not hold it.")
    if resource is not None:
        try:
            check_resource(resource)
        except ResourceError as error:
            return final("resource", f"The resource cannot be read: {error}.")
    chain: list[DecisionStep] = []
    deciding: Binding | None = None
    for binding in policy.all_of(identity):
        if permission not in policy.held_by(binding.role):
            continue
        step = _step(policy, binding, permission, resource, at)
        chain.append(step)
        if step.outcome == "allows" and deciding is None:
            deciding = binding
    if deciding is not None:
        if deciding.role in policy.roles:
            chain.append(DecisionStep("role", deciding.role, "allows", f"The role holds {permission}."))
        return Decision(True, permission, resource, f"binding {deciding.id}", tuple(chain))
    chain.append(
        DecisionStep("default", "default", "denies", f"No binding in force gives {permission}{_to(resource)}.")
    )
    return Decision(False, permission, resource, "default", tuple(chain))


def _step(policy: Policy, binding: Binding, permission: str, resource: str | None, at: datetime) -> DecisionStep:
    what = f"the role {binding.role}" if binding.role in policy.roles else f"the permission {binding.role}"
    whom = f"the group {binding.group}" if binding.group is not None else f"{binding.subject}"
    given = f"It gives {what} to {whom}"
    if binding.resource is not None:
        given += f" for {binding.resource}"
    where = f" ({binding.reason})" if binding.reason else ""
    if not binding.in_force(at):
        assert binding.expires_at is not None
        return DecisionStep(
            "binding", binding.id, "no opinion", f"{given}{where}; it ended {binding.expires_at:%Y-%m-%d %H:%M:%S} UTC."
        )
    if not binding.concerns(resource):
        of = "this is asked for everything" if resource is None else f"{resource} is not among them"
        return DecisionStep("binding", binding.id, "no opinion", f"{given} only{where}; {of}.")
    return DecisionStep("binding", binding.id, "allows", f"{given}{where}.")


def _to(resource: str | None) -> str:
    return f" for {resource}" if resource is not None else ""
