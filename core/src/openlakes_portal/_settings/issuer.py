"""Settings of the portal as a token issuer."""

from typing import Literal

from pydantic import Field, SecretStr, model_validator

from openlakes_portal._settings.section import Section

Algorithm = Literal["EdDSA", "ES256", "RS256"]


class IssuerSettings(Section):
    """The keys that sign the portal's own tokens."""

    keys: tuple[SecretStr, ...] = Field(
        (),
        description="Private keys (PEM) that sign instead of those the portal makes, keeps and rotates itself: the "
        "first of each algorithm signs, all are published",
    )
    algorithms: tuple[Algorithm, ...] = Field(
        ("EdDSA", "ES256"),
        min_length=1,
        description="Keys that are there from the start; add RS256 for what needs it",
    )
    rotate_every: float = Field(
        30 * 86_400, ge=3600, description="Seconds after which a key is followed by another, in the database"
    )
    announce: float = Field(
        86_400, ge=600, description="Seconds that a key is published before it signs: longer than verifiers keep keys"
    )

    @model_validator(mode="after")
    def _in_time(self) -> "IssuerSettings":
        if self.announce >= self.rotate_every:
            raise ValueError("announce must be shorter than rotate_every")
        return self
