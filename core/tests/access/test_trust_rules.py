"""What a rule of the token exchange takes, and which rules the portal does not start with."""

import time
from typing import Any

import pytest

from openlakes_portal._auth.exchange.trust import claim_at, fits, mismatch
from openlakes_portal._cli.serve import check
from openlakes_portal._settings.errors import SettingsError
from openlakes_portal._settings.load import load
from openlakes_portal._settings.token_exchange import GITHUB, TrustRule

from .platforms import documented, github, kubernetes, pull_request

RULE = {
    "name": "x",
    "issuer": "https://ci.example",
    "audience": "https://lake.example",
    "subject": "job",
    "service_account": "ci",
    "single_use": False,
}
ED25519 = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
"""RFC 8037, appendix A.2."""
HTTPS = {"server": {"public_url": "https://lake.example"}}


def read(rule: dict[str, Any], **more: Any) -> Any:
    """The settings with one rule."""
    rules = {"auth": {"mode": "demo", "token_exchange": {"rules": [rule]}}}
    return load(environ={}, overlay={**rules, **more}).settings


@pytest.mark.parametrize(
    ("pattern", "value", "good"),
    [
        ("refs/heads/main", "refs/heads/main", True),
        ("refs/heads/main", "refs/heads/main2", False),
        ("refs/heads/main", "xrefs/heads/main", False),
        ("refs/heads/main", "refs/heads/main\n", False),
        ("refs/heads/main", "refs/heads/Main", False),
        ("refs/heads/release-*", "refs/heads/release-1", True),
        ("refs/heads/release-*", "refs/heads/release-", False),
        ("refs/heads/release-*", "refs/heads/release-1/x", False),
        ("refs/heads/release-*", "refs/heads/release-1\n", False),
        ("refs/heads/*", "refs/heads/a b", False),
        ("repo:octo-org/*", "repo:octo-org/any:ref:refs/heads/main", False),
        ("repo:octo-org/*:ref:refs/heads/main", "repo:octo-org/a:ref:refs/heads/main", True),
        ("repo:octo-org/*:ref:refs/heads/main", "repo:octo-org/a:pull_request:ref:refs/heads/main", False),
        ("repo:octo-org/*:ref:refs/heads/main", "repo:octo-org/a/b:ref:refs/heads/main", False),
        ("a*b*c", "a-b-c", True),
        ("a*b*c", "abbbcc", True),
        ("a*b*c", "a-b-c-", False),
        ("a*b*c", "a-b/b-c", False),
        ("a*b*c", "abc", False),
        ("a*/b*:c", "a1/b2:c", True),
        ("a*/b*:c", "a1/b2/b3:c", False),
        ("*ab*ab", "-abab-ab", True),
        ("*ab*ab", "-abab", False),
        ("a.c", "abc", False),
        ("74", 74, False),
        ("true", True, False),
        ("a", ["a"], False),
        ("a", None, False),
    ],
)
def test_a_value_is_compared_as_a_whole(pattern: str, value: object, good: bool) -> None:
    assert fits(pattern, value) is good


def test_no_claim_keeps_the_portal_busy() -> None:
    """Everybody's jobs at GitHub have tokens of the issuer that a rule names, with texts that they chose."""
    started = time.perf_counter()
    assert not fits("deploy-*-*-*!", "deploy" + "-" * 1_500)
    assert fits("deploy-*-*-*!", "deploy" + "-" * 1_500 + "!")
    assert time.perf_counter() - started < 0.5


def test_a_claim_by_name_or_by_pointer() -> None:
    claims = kubernetes()
    assert claim_at(claims, "/kubernetes.io/serviceaccount/name") == "loader"
    assert claim_at(claims, "sub") == "system:serviceaccount:ingest:loader"
    assert claim_at({"a/b": {"c~d": "x"}}, "/a~1b/c~0d") == "x"
    for missing in ("kubernetes.io.namespace", "/kubernetes.io/none", "/sub/x", "/none/x"):
        assert claim_at(claims, missing) is None


GITHUB_RULE = TrustRule.model_validate(documented("github")["auth"]["token_exchange"]["rules"][0])
KUBERNETES_RULE = TrustRule.model_validate(documented("kubernetes")["auth"]["token_exchange"]["rules"][0])


def test_the_guides_rules_take_the_tokens_that_they_mean() -> None:
    assert mismatch(GITHUB_RULE, github()) is None
    assert mismatch(KUBERNETES_RULE, kubernetes()) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "https://github.com/octo-org"},
        {"aud": ["https://other.example"]},
        {"aud": None},
        {"aud": {"https://lake.example": 1}},
        {"repository_id": "75"},
        {"repository_id": 74},
        {"repository_owner_id": "66"},
        {"ref": "refs/heads/feature"},
        {"ref": "refs/tags/main"},
        {"environment": "staging"},
        {"environment": None},
        {"job_workflow_ref": "octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/dev"},
        {"job_workflow_ref": "mallory/octo-automation/.github/workflows/oidc.yml@refs/heads/main"},
    ],
)
def test_each_claim_of_github_counts(changed: dict[str, Any]) -> None:
    fault = mismatch(GITHUB_RULE, github(**changed))
    assert fault is not None
    assert fault.startswith(f"{next(iter(changed))} is ")


def test_a_pull_request_from_a_fork_fits_no_rule_of_the_guide() -> None:
    assert mismatch(GITHUB_RULE, pull_request()) is not None
    careless = GITHUB_RULE.model_copy(update={"claims": {"repository": "octo-org/octo-repo"}})
    assert mismatch(careless, pull_request()) is None, "control: the repository alone would let it in"


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": ["https://kubernetes.default.svc"]},
        {"sub": "system:serviceaccount:ingest:other"},
        {"sub": "system:serviceaccount:other:loader"},
        {"kubernetes.io": None},
        {"kubernetes.io": {"serviceaccount": {"name": "loader", "uid": "another"}}},
    ],
)
def test_each_claim_of_kubernetes_counts(changed: dict[str, Any]) -> None:
    assert mismatch(KUBERNETES_RULE, kubernetes(**changed)) is not None


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"subject": None}, "names neither a subject nor claims"),
        ({"subject": "*"}, "takes everything"),
        ({"subject": "*:*/*"}, "takes everything"),
        ({"subject": ""}, "one line of printable text"),
        ({"subject": "a\nb"}, "one line of printable text"),
        ({"subject": "repo:org/**"}, "is no pattern"),
        ({"claims": {"ref": "*"}}, "takes everything"),
        ({"claims": {"aud": "x"}}, "is no further claim"),
        ({"claims": {"": "x"}}, "is no further claim"),
        ({"claims": {"id": 5}}, "valid string"),
        ({"audience": None}, "valid string"),
        ({"audience": ""}, "at least 1 character"),
        ({"audience": "https://ci.example/"}, "its audience is the issuer itself"),
        ({"issuer": "ci.example"}, "https address"),
        ({"issuer": "ftp://ci.example"}, "https address"),
        ({"issuer": "https://user:pw@ci.example"}, "https address"),
        ({"issuer": "https://ci.example?x=1"}, "without query"),
        ({"issuer": "https://ci.example:port"}, "a port that is none"),
        ({"jwks_uri": "file:///etc/passwd"}, "https address"),
        ({"jwks_uri": "https://ci.example/keys", "jwks": {"keys": []}}, "more than one of"),
        ({"lifetime": 3601}, "less than or equal to 3600"),
        ({"lifetime": 59}, "greater than or equal to 60"),
        ({"algorithms": ["HS256"]}, "Input should be"),
        ({"algorithms": ["none"]}, "Input should be"),
        ({"algorithms": []}, "at least 1 item"),
        ({"permissions": []}, "at least 1 item"),
        ({"service_account": "service:ci"}, "pattern"),
        ({"name": "x y"}, "pattern"),
        ({"subjects": "x"}, "unknown key"),
    ],
)
def test_rules_that_are_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        read({**RULE, **changed})
    assert read(RULE).auth.token_exchange.rules[0].name == "x", "control"


@pytest.mark.parametrize("left_out", ["name", "issuer", "audience", "service_account", "single_use"])
def test_what_a_rule_must_say(left_out: str) -> None:
    with pytest.raises(SettingsError, match=f"{left_out}.*must be set"):
        read({name: value for name, value in RULE.items() if name != left_out})


def test_two_rules_have_two_names() -> None:
    rules = {"auth": {"mode": "demo", "token_exchange": {"rules": [RULE, RULE]}}}
    with pytest.raises(SettingsError, match="two rules have the name x"):
        load(environ={}, overlay=rules)


@pytest.mark.parametrize(
    ("pins", "words"),
    [
        ({"claims": {"ref": "refs/heads/main"}}, "does not say whose jobs"),
        ({"claims": {"repository": "*/octo-repo", "ref": "refs/heads/main"}}, "does not say whose jobs"),
        ({"claims": {"repository_id": "7*", "ref": "refs/heads/main"}}, "does not say whose jobs"),
        ({"subject": "repo:*/octo-repo:ref:refs/heads/main"}, "does not say whose jobs"),
        ({"subject": "repo:octo-org/*"}, "does not say whose jobs"),
        ({"claims": {"repository_id": "74"}}, "those of pull requests from forks too"),
        ({"subject": "repo:octo-org/octo-repo:*"}, "those of pull requests from forks too"),
        ({"claims": {"repository_id": "74", "ref": "refs/heads/main"}}, None),
        ({"claims": {"repository": "octo-org/*", "environment": "prod"}}, None),
        ({"subject": "repo:octo-org/octo-repo:ref:refs/heads/main"}, None),
        ({"subject": "repo:octo-org/octo-repo:*", "claims": {"ref": "refs/heads/main"}}, None),
    ],
)
def test_rules_for_github_say_whose_jobs_and_which(pins: dict[str, Any], words: str | None) -> None:
    rule = {**RULE, "subject": None, "issuer": GITHUB, **pins}
    if words is None:
        read(rule)
        return
    with pytest.raises(SettingsError, match=words):
        read(rule)


@pytest.mark.parametrize(
    ("changed", "server", "words"),
    [
        ({"issuer": "http://ci.example"}, {}, "who is on the network could sign tokens"),
        ({"jwks_uri": "http://ci.example/keys"}, {}, "its jwks_uri over http"),
        ({"issuer": "http://127.0.0.1:9"}, {}, None),
        ({"issuer": "http://127.0.0.1:9"}, HTTPS["server"], "server.public_url is not on loopback"),
        ({"jwks": {"keys": []}}, {}, "without a key that can be used"),
        ({"jwks": {"keys": [{"kty": "oct", "k": "AAAA"}]}}, {}, "without a key that can be used"),
        ({"jwks": {}}, {}, "without a key that can be used"),
        ({"jwks": {"keys": [ED25519]}}, {}, None),
        ({"jwks": {"keys": [{**ED25519, "d": "AAAA"}]}}, {}, "a private key"),
        ({"jwks": {"keys": [ED25519, {"kty": "oct", "k": "AAAA"}]}}, {}, "a private key"),
        ({"issuer": "https://idp.example", "audience": "portal"}, HTTPS["server"], "with which people sign in"),
        ({"issuer": "https://idp.example", "audience": "lake"}, HTTPS["server"], None),
    ],
)
def test_rules_that_the_portal_does_not_start_with(
    changed: dict[str, Any], server: dict[str, Any], words: str | None
) -> None:
    oidc = {"mode": "oidc", "oidc": {"issuer": "https://idp.example", "client_id": "portal"}} if server else {}
    auth = {"mode": "demo", **oidc, "token_exchange": {"rules": [{**RULE, **changed}]}}
    problem = check(load(environ={}, overlay={"auth": auth, "server": server}).settings)
    if words is None:
        assert problem is None
    else:
        assert problem is not None
        assert words in problem


def test_the_guides_blocks_can_be_read_and_started_with() -> None:
    for name in ("github", "kubernetes"):
        block = documented(name)
        oidc = {"mode": "oidc", "oidc": {"issuer": "https://idp.example", "client_id": "portal"}}
        whole = {**block, "auth": {**block["auth"], **oidc}, **HTTPS}
        assert check(load(environ={}, overlay=whole).settings) is None
