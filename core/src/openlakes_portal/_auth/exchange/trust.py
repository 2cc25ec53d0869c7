"""Whether a token's claims are those that a rule asks for. Pure: no clock, no network, no keys.

A value is compared as it is, its case too, and as a whole. `*` stands for one or more characters but `/`, `:` and white
space, so that it never reaches over a part of a path or of a subject.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from openlakes_portal._settings.token_exchange import TrustRule

MAX_VALUE = 120


def mismatch(rule: TrustRule, claims: Mapping[str, Any]) -> str | None:
    """What keeps these claims from the rule, None where it takes them."""
    audience = claims.get("aud")
    audiences = [audience] if isinstance(audience, str) else audience
    if not isinstance(audiences, list) or rule.audience not in audiences:
        return f"aud is {_shown(audience)}"
    if rule.subject is not None and not fits(rule.subject, claims.get("sub")):
        return f"sub is {_shown(claims.get('sub'))}"
    for name, pattern in rule.claims.items():
        value = claim_at(claims, name)
        if not fits(pattern, value):
            return f"{name} is {_shown(value)}"
    return None


def fits(pattern: str, value: object) -> bool:
    """Whether a claim is what a pattern says. Only text can be."""
    return isinstance(value, str) and _compiled(pattern).fullmatch(value) is not None


def claim_at(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its name, or by a JSON pointer (RFC 6901); None where there is none."""
    if not name.startswith("/"):
        return claims.get(name)
    value: Any = claims
    for step in name[1:].split("/"):
        if not isinstance(value, dict):
            return None
        value = value.get(step.replace("~1", "/").replace("~0", "~"))
    return value


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Each star but the last ends at the first place where what follows it stands, for good (`?>`): a later one would
    leave the rest less to match. So the time does not grow with the stars, whatever the bearer writes in a claim."""
    first, *others = (re.escape(part) for part in pattern.split("*"))
    if not others:
        return re.compile(first)
    *middle, last = others
    return re.compile(first + "".join(rf"(?>[^/:\s]+?{part})" for part in middle) + rf"[^/:\s]+{last}")


def _shown(value: object) -> str:
    return repr(value)[:MAX_VALUE] if value is not None else "missing"
