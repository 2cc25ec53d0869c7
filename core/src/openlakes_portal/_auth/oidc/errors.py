"""What can go wrong between the portal and its identity provider, told apart by what follows from it."""

from openlakes_portal.spi import NotAllowed, PortalError, Unavailable


class SignInRefused(PortalError):
    """This sign-in is not valid: an answer that nobody asked for, twice, changed, or from somebody else. 400."""

    status = 400
    title = "The sign-in was refused"
    code = "sign-in-refused"


class ClockFault(SignInRefused):
    """A token that is right but for its times: one of the two clocks is wrong."""


class ProviderUnavailable(Unavailable):
    """The provider does not answer, or not as one. Nobody's session follows from it."""


class ProviderMisconfigured(Unavailable):
    """The provider answers, and what it says does not fit the settings: an operator must act."""


class LostAnswer(ProviderUnavailable):
    """The request was sent and its answer did not come: whether it took effect is not known."""


class GrantOver(NotAllowed):
    """The provider will not renew this sign-in (RFC 6749, 5.2 `invalid_grant`): it is over."""


class TokenRefused(GrantOver):
    """The provider does not take the access token (RFC 6750, 3.1 `invalid_token`): the sign-in is over, or that."""
