"""The certificate of a server of the stack: good for longer than a stack is kept, and nobody else's to read."""

import datetime
from pathlib import Path

import pytest
from cryptography import x509

from openlakes_portal_stack.runner import certificate
from openlakes_portal_stack.runner.certificate import good_for_long, self_signed


def test_it_is_good_for_years(tmp_path: Path) -> None:
    public, _ = self_signed(tmp_path, "127.0.0.1")
    found = x509.load_pem_x509_certificate(public.read_bytes())
    assert found.not_valid_after_utc > datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=3000)
    assert good_for_long(public)


def test_one_that_ends_soon_or_is_none_is_not_good_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificate, "LIFETIME", datetime.timedelta(days=2))
    public, _ = self_signed(tmp_path, "127.0.0.1")
    assert not good_for_long(public)
    public.write_text("half of on")
    assert not good_for_long(public)
    assert not good_for_long(tmp_path / "missing.crt")


def test_its_key_is_nobody_elses_to_read(tmp_path: Path) -> None:
    _, private = self_signed(tmp_path, "127.0.0.1")
    assert private.stat().st_mode & 0o777 == 0o600
