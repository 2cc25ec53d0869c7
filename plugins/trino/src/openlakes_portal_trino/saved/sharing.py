"""With whom a saved query is shared: groups and people, besides everybody (`shared`)."""

from datetime import datetime

from pydantic import AwareDatetime, BaseModel, Field, model_validator

from openlakes_portal.spi import Share


class NewShare(BaseModel, extra="forbid"):
    """With whom, and until when (null: until it is taken back)."""

    group: str | None = Field(None, min_length=1, max_length=300)
    subject: str | None = Field(None, min_length=1, max_length=600, description="A user name, or issuer#subject")
    expires_at: AwareDatetime | None = None

    @model_validator(mode="after")
    def _one_of(self) -> "NewShare":
        if (self.group is None) == (self.subject is None):
            raise ValueError("name either a group or a subject")
        return self


class ShareView(BaseModel):
    """A share. `name` is the person's where they have signed in."""

    id: str
    group: str | None
    subject: str | None
    name: str | None
    expires_at: datetime | None
    created_at: datetime


def share_view(share: Share) -> ShareView:
    """A share as it is shown."""
    return ShareView(
        id=share.id,
        group=share.group,
        subject=share.subject,
        name=share.name,
        expires_at=share.expires_at,
        created_at=share.created_at,
    )
