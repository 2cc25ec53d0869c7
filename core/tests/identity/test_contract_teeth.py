"""The contract says no to a provider that breaks it: each promise broken in turn by the fake."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from joserfc.errors import JoseError

from openlakes_portal.testing.identity_provider import FakeIdentityProvider, SigningKey, unsigned

from . import test_providers as contract
from .relying_party import RelyingParty, relying_party

Break = Callable[[FakeIdentityProvider], Any]
Promise = Callable[[RelyingParty], Awaitable[None]]


def _another_issuer(provider: FakeIdentityProvider) -> None:
    provider.change_answer("discovery", lambda stated: stated.update(issuer="https://other.example"))


def _another_nonce(provider: FakeIdentityProvider) -> None:
    provider.change_claims(lambda claims: claims.update(nonce="another"))


def _another_key(provider: FakeIdentityProvider) -> None:
    provider.signer = SigningKey.generate("RS256", kid=provider.signing_key.kid).sign


def _no_signature(provider: FakeIdentityProvider) -> None:
    provider.signer = unsigned


def _silent_callback(provider: FakeIdentityProvider) -> None:
    provider.callback_issuer = None


def _codes_that_last(provider: FakeIdentityProvider) -> None:
    provider.on("code").answers({"refresh_token": "same", "access_token": "same"})


def _lasting_refresh_tokens(provider: FakeIdentityProvider) -> None:
    provider.rotates_refresh_tokens = False


def _another_audience(provider: FakeIdentityProvider) -> None:
    provider.change_claims(lambda claims: claims.update(aud="another"), "access_token")


def _logout_tokens_like_id_tokens(provider: FakeIdentityProvider) -> None:
    provider.change_header(lambda header: header.update(typ="JWT"), "logout_token")


def _logout_of_another_session(provider: FakeIdentityProvider) -> None:
    provider.change_claims(lambda claims: claims.update(sid="another"), "logout_token")


def _deaf_end_session(provider: FakeIdentityProvider) -> None:
    provider.on("end_session").redirects("http://127.0.0.1:1/")


def _deaf_revocation(provider: FakeIdentityProvider) -> None:
    provider.on("revoke").answers({})


@pytest.mark.parametrize(
    ("break_it", "promise"),
    [
        (_another_issuer, contract.test_discovery_is_well_formed),
        (_another_nonce, contract.test_a_code_gives_tokens_that_the_published_keys_verify),
        (_another_key, contract.test_a_code_gives_tokens_that_the_published_keys_verify),
        (_no_signature, contract.test_a_code_gives_tokens_that_the_published_keys_verify),
        (_silent_callback, contract.test_a_code_gives_tokens_that_the_published_keys_verify),
        (_codes_that_last, contract.test_a_code_is_refused_the_second_time_and_takes_the_sign_in_along),
        (_codes_that_last, contract.test_a_code_is_refused_with_another_verifier),
        (_lasting_refresh_tokens, contract.test_a_refresh_rotates_and_the_old_token_ends_the_sign_in),
        (_another_audience, contract.test_an_exchange_gives_a_token_for_the_audience),
        (_logout_tokens_like_id_tokens, contract.test_a_logout_by_an_administrator_is_delivered),
        (_logout_of_another_session, contract.test_a_logout_by_an_administrator_is_delivered),
        (_deaf_end_session, contract.test_end_session_ends_the_sign_in_and_leads_home),
        (_deaf_revocation, contract.test_a_revoked_refresh_token_is_dead),
    ],
)
async def test_a_broken_promise_is_found(
    break_it: Break, promise: Promise, fake_provider: FakeIdentityProvider
) -> None:
    break_it(fake_provider)
    async with relying_party(fake_provider) as client:
        with pytest.raises((AssertionError, JoseError)):
            await promise(client)
