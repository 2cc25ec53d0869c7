"""Rules shaped like Trino's: the first that matches decides, and what none matches is denied."""

import json
from collections.abc import Mapping, Sequence

import pytest
from pydantic import ValidationError

from openlakes_portal_trino.access import AccessRules, Grants
from openlakes_portal_trino.embedded.attach import protected_sql
from openlakes_portal_trino.settings import Settings

from .conftest import person


def grants(role: str = "bi-analyst", **rules: Sequence[Mapping[str, object]]) -> Grants:
    made = AccessRules.model_validate({"catalogs": [{"catalog": "lake"}], **rules}).grants(person(role))
    return Grants.from_json(made.as_json())


def test_nothing_is_allowed_where_nothing_is_said() -> None:
    nothing = AccessRules().grants(person("platform-admin"))
    assert not nothing.sees_catalog("lake")
    assert nothing.table("lake", "nyc", "flights") is None
    assert grants().table("lake", "nyc", "flights") is None


def test_the_first_matching_rule_decides() -> None:
    deny, allow = {"table": "pay.*", "privileges": []}, {"privileges": ["SELECT"]}
    assert grants(tables=[deny, allow]).table("lake", "hr", "payroll") is None
    assert grants(tables=[allow, deny]).table("lake", "hr", "payroll") is not None
    assert grants(tables=[deny, allow]).table("lake", "hr", "my_payroll") is not None  # a whole match, as in Trino
    assert grants(tables=[{"privileges": ["INSERT"]}, allow]).table("lake", "hr", "x") is None


def test_rules_are_about_users_and_roles() -> None:
    tables = [
        {"role": "data-.*", "privileges": ["SELECT"]},
        {"user": "bi-analyst", "table": "a", "privileges": ["SELECT"]},
    ]
    assert grants("data-engineer", tables=tables).table("lake", "s", "b") is not None
    assert grants("bi-analyst", tables=tables).table("lake", "s", "a") is not None
    assert grants("bi-analyst", tables=tables).table("lake", "s", "b") is None


def test_a_catalog_that_is_not_seen_hides_its_tables() -> None:
    hidden = grants(catalogs=[{"catalog": "lake", "allow": "none"}], tables=[{"privileges": ["SELECT"]}])
    assert hidden.table("lake", "nyc", "flights") is None
    assert not hidden.may_see_schema("lake", "nyc")


def test_an_owned_schema_is_readable_unless_a_table_rule_says_otherwise() -> None:
    owned = [{"schema": "lab", "owner": True}]
    assert grants(schemas=owned).table("lake", "lab", "x") is not None
    assert grants(schemas=owned).table("lake", "nyc", "x") is None
    assert grants(schemas=owned, tables=[{"table": "x", "privileges": []}]).table("lake", "lab", "x") is None


def test_masks_and_filters_become_a_query_of_ours() -> None:
    columns = [{"name": "Pay", "mask": "0"}, {"name": "iban", "allow": False}]
    grant = grants(tables=[{"privileges": ["SELECT"], "columns": columns, "filter": "a > 1"}]).table("lake", "s", "t")
    assert grant is not None
    assert not grant.whole
    assert (
        protected_sql(["a", "pay", 'i"d', "iban"], grant)
        == 'SELECT "a", (0) AS "pay", "i""d" FROM protected WHERE (a > 1)'
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"access": {"tables": [{"table": "(", "privileges": []}]}},
        {"access": {"tables": [{"tabel": "x", "privileges": []}]}},
        {"access": {"tables": [{"table": "x"}]}},
        {"default_engine": "trino"},
        {"trino": {"address": "http://trino.example:8080"}},
        {"queries": {"per_user": 0}},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(settings)


def test_settings_name_the_default_engine_first() -> None:
    both = {"trino": {"address": "http://127.0.0.1:8080"}, "duckdb": {"catalogs": {"lake": {}}}}
    assert Settings.model_validate(both).engines == ["trino", "duckdb"]
    assert Settings.model_validate({**both, "default_engine": "duckdb"}).engines == ["duckdb", "trino"]
    assert Settings.model_validate({}).engines == []


def test_every_setting_is_described_and_secrets_are_masked() -> None:
    schema = json.dumps(Settings.model_json_schema())
    assert schema.count('"description"') > 60
    secret = Settings.model_validate({"duckdb": {"catalogs": {"x": {"secrets": {"credential": "canary"}}}}})
    assert "canary" not in repr(secret) + secret.model_dump_json()
    assert secret.duckdb.catalogs["x"].as_properties()["credential"] == "canary"
