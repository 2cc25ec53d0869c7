"""Settings of the token exchange: whose tokens are taken for which service account.

What a rule lacks to be safe is refused when the settings are read; the words say what to add.
"""

import re
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from openlakes_portal._settings.section import Section

GITHUB = "https://token.actions.githubusercontent.com"
"""Everybody's jobs at github.com get their tokens from this one issuer, for whatever audience they ask."""
GITHUB_OWNERS = ("repository", "repository_id", "repository_owner", "repository_owner_id")
GITHUB_RUNS = ("ref", "environment", "job_workflow_ref", "workflow_ref", "event_name")
NAME = r"^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$"
MAX_LIFETIME = 3600

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]


class TrustRule(Section):
    """Takes tokens of one issuer, for one audience, with these claims, for one service account."""

    name: str = Field(pattern=NAME, max_length=60, description="Name of the rule, in the audit log")
    issuer: str = Field(description="Issuer (`iss`), exactly as its tokens state it")
    audience: str = Field(
        min_length=1, max_length=300, description="What `aud` must contain: a name of this portal, like its public_url"
    )
    subject: str | None = Field(
        None, max_length=500, description="What `sub` must be; `*` stands for one or more characters but `/` and `:`"
    )
    claims: dict[str, str] = Field(
        default_factory=dict,
        description="What further claims must be, likewise; a name that begins with `/` is a JSON pointer",
    )
    service_account: str = Field(pattern=NAME, max_length=60, description="Name of the account, without `service:`")
    permissions: tuple[str, ...] | None = Field(
        None, min_length=1, description="No more than these of what the account holds (default: all of it)"
    )
    lifetime: int = Field(900, ge=60, le=MAX_LIFETIME, description="Seconds that the token given for it lives")
    single_use: bool = Field(
        description="Whether a token (its `jti`) counts once. true where each job asks for a fresh one (GitHub "
        "Actions), false where one is presented again and again (Kubernetes)"
    )
    jwks_uri: str | None = Field(None, description="Where the issuer's keys are, for one without public discovery")
    jwks: dict[str, Any] | None = Field(None, description="The issuer's keys themselves (RFC 7517)")
    jwks_file: Path | None = Field(
        None, description="A file of them, read again every five minutes and for an unknown key"
    )
    ca_file: Path | None = Field(None, description="Certificates that are trusted for the issuer (PEM)")
    algorithms: tuple[Algorithm, ...] = Field(
        ("RS256", "PS256", "ES256", "ES384", "EdDSA"), min_length=1, description="Signatures that are believed"
    )

    @field_validator("issuer", "jwks_uri")
    @classmethod
    def _check_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        try:
            _ = parts.port
        except ValueError:
            raise ValueError("has a port that is none") from None
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.username is not None:
            raise ValueError("must be an https address")
        if parts.query or parts.fragment or value != value.strip():
            raise ValueError("must be an address without query or fragment")
        return value

    @field_validator("subject")
    @classmethod
    def _check_subject(cls, value: str | None) -> str | None:
        if value is not None:
            check_pattern(value)
        return value

    @field_validator("claims")
    @classmethod
    def _check_claims(cls, value: dict[str, str]) -> dict[str, str]:
        for name, pattern in value.items():
            if not name or name in ("iss", "aud", "sub", "exp", "nbf", "iat", "jti"):
                raise ValueError(f"{name!r} is no further claim: the rule has its own field for it, or it is no name")
            try:
                check_pattern(pattern)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
        return value

    @model_validator(mode="after")
    def _whole(self) -> "TrustRule":
        if self.subject is None and not self.claims:
            raise ValueError("names neither a subject nor claims: every token of the issuer would be taken")
        if self.audience.rstrip("/") == self.issuer.rstrip("/"):
            raise ValueError("its audience is the issuer itself: tokens for the issuer's own API would be taken")
        if sum(place is not None for place in (self.jwks_uri, self.jwks, self.jwks_file)) > 1:
            raise ValueError("says more than one of jwks_uri, jwks and jwks_file")
        if self.issuer == GITHUB:
            self._check_github()
        return self

    def _check_github(self) -> None:
        owner = any("*" not in self.claims.get(name, "*") for name in GITHUB_OWNERS)
        owner = owner or "*" not in self.claims.get("repository", "*/").partition("/")[0]
        subject = self.subject or ""
        owner = owner or bool(re.match(r"repo:[^*/:]+/[^*/:]+:", subject))
        if not owner:
            raise ValueError(
                f"does not say whose jobs at GitHub it means: name one of {', '.join(GITHUB_OWNERS)} in claims, exactly"
            )
        if not any(name in self.claims for name in GITHUB_RUNS) and (not subject or subject.endswith(":*")):
            raise ValueError(
                "takes any job of the repository, those of pull requests from forks too: add one of "
                f"{', '.join(GITHUB_RUNS)} to claims, or an exact subject"
            )


class TokenExchangeSettings(Section):
    """The token exchange (RFC 8693) for jobs that have a token of their own platform."""

    rules: tuple[TrustRule, ...] = Field(
        (), description="Whose tokens are taken; the first rule that fits a token counts, and none takes none"
    )
    timeout: float = Field(10.0, gt=0, le=60, description="Seconds that each call to an issuer may take")
    clock_skew: int = Field(60, ge=0, le=300, description="Seconds by which clocks may differ")

    @field_validator("rules")
    @classmethod
    def _check_names(cls, value: tuple[TrustRule, ...]) -> tuple[TrustRule, ...]:
        names = [rule.name for rule in value]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two rules have the name {', '.join(twice)}")
        return value


def check_pattern(pattern: str) -> None:
    """Raises `ValueError` for a pattern that says nothing, or cannot be read."""
    if not pattern or not pattern.isprintable():
        raise ValueError("must be one line of printable text")
    if "**" in pattern:
        raise ValueError("`**` is no pattern: `*` stands for one or more characters but `/` and `:`")
    if not any(c.isalnum() for c in pattern):
        raise ValueError(f"{pattern!r} takes everything: say more")
