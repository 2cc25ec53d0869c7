"""The configuration of a run, as a person types it."""

from typing import Any

import pytest

from openlakes_portal.spi import InvalidInput
from openlakes_portal_airflow_dbt.actions import _conf


@pytest.mark.parametrize(
    ("text", "conf"), [("", {}), ("{}", {}), ('{"a": [1, 2.5, null, "für"]}', {"a": [1, 2.5, None, "für"]})]
)
def test_an_object_is_taken(text: str, conf: dict[str, Any]) -> None:
    assert _conf(text) == conf


@pytest.mark.parametrize(
    "text",
    [
        *("[]", "1", "{", '{"a": NaN}', '{"a": -Infinity}', '{"a": 1e999}', '{"a": "\\ud800"}', "[" * 60_000),
        f'{{"a": {"9" * 5000}}}',
    ],
)
def test_what_airflow_could_not_be_sent_is_refused_at_its_field(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        _conf(text)
    assert refused.value.errors[0].pointer == "/conf"
