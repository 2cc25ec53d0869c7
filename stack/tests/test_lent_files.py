"""What the stack writes into a folder of another account's: not through a link that this account has put there."""

import os
import pwd
from pathlib import Path

import pytest

from openlakes_portal_stack.components.postgresql import _lend


@pytest.mark.parametrize("planted", ["link", "dangling link", "file"])
def test_a_password_is_written_beside_what_was_planted(tmp_path: Path, planted: str) -> None:
    victim, file = tmp_path / "shadow", tmp_path / "password"
    if planted != "dangling link":
        victim.write_text("root:!")
        victim.chmod(0o640)
    if planted == "file":
        file.write_text("an older one, that everybody may read")
        file.chmod(0o666)
    else:
        file.symlink_to(victim)
    account = "nobody" if os.geteuid() == 0 else None
    _lend(file, "secret", account)
    about = file.lstat()
    assert not file.is_symlink()
    assert about.st_mode & 0o777 == 0o600
    assert about.st_uid == (pwd.getpwnam("nobody").pw_uid if account else os.geteuid())
    assert file.read_text() == "secret"
    assert victim.exists() == (planted != "dangling link")
    if victim.exists():
        assert victim.read_text() == "root:!"
        assert victim.stat().st_uid == os.geteuid()
