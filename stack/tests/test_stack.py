"""The runner: order, readiness, crashes, interruption, ports, disk, another command; with real processes."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TextIO

import psutil
import pytest

from openlakes_portal_stack.runner.component import LeftOut, Site, StackError
from openlakes_portal_stack.runner.stack import Stack
from openlakes_portal_stack.runner.work import Interrupted, Interruption
from real_servers.child import accepts
from small_component import SERVER, component, stack, steps

pytestmark = pytest.mark.slow  # each starts a supervisor


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A folder for a stack; nothing of it runs afterwards."""
    folder = tmp_path / "stack"
    yield folder
    if folder.is_dir():
        Stack(folder, {}).down()


def up(made: Stack, *names: str) -> dict[str, str]:
    made.plan(names or tuple(made.known))
    return dict(made.up(steps()[1], Interruption()))


def state(made: Stack, id: str) -> tuple[str, str]:
    found = next(one for one in made.status() if one.id == id)
    return found.state, found.text


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def test_a_component_starts_after_what_it_needs_and_tells_what_it_can_do(root: Path) -> None:
    order: list[str] = []
    made = stack(
        root,
        component(
            "upper", requires=("lower",), prepare=lambda site: order.append(f"upper of {site.of('lower').address}")
        ),
        component("lower", finish=lambda site: order.append("lower finished")),
    )
    assert up(made, "upper") == {"upper": "ready", "lower": "ready"}
    below = made.status()[1]
    assert order == ["lower finished", f"upper of {below.address}"]
    assert below.memory > 1_000_000
    assert urllib.request.urlopen(below.address).status == 200


def test_ports_and_secrets_are_kept_and_a_second_up_leaves_alone_what_runs(root: Path) -> None:
    prepared: list[str] = []
    made = stack(root, component("one", secrets=("key",), prepare=lambda site: prepared.append(site.secret("key"))))
    up(made)
    first = made.status()[0]
    pid = made.supervisor.states()["one"].pid
    up(made)
    assert made.supervisor.states()["one"].pid == pid
    assert len(prepared) == 1
    made.down()
    up(made)
    assert made.status()[0].ports == first.ports
    assert prepared[0] == prepared[1]
    secret = made.layout.component("one") / "secrets" / "key"
    assert secret.stat().st_mode & 0o777 == 0o600


def test_down_leaves_no_process_and_keeps_data(root: Path) -> None:
    child = (
        f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); {SERVER}"
    )
    made = stack(root, component("one", child, prepare=lambda site: (site.folder / "data").write_text("kept") and None))
    up(made)
    supervisor = psutil.Process(made.supervisor.states()["one"].pid).parent()
    assert supervisor is not None
    family = supervisor.children(recursive=True)
    assert len(family) >= 2
    made.down()
    assert [process for process in [supervisor, *family] if process.is_running()] == []
    assert (made.layout.component("one") / "data").read_text() == "kept"
    assert state(made, "one") == ("stopped", "")


def test_a_program_that_ends_at_once_is_named_with_the_end_of_its_log(root: Path) -> None:
    made = stack(
        root, component("one", "raise SystemExit('the disk is on fire')"), component("other", requires=("one",))
    )
    assert up(made) == {"one": "failed", "other": "failed"}
    assert "the disk is on fire" in state(made, "one")[1]
    assert state(made, "other") == ("failed", "It needs One, which is not there.")


def test_a_program_that_ends_after_a_while_again_and_again_is_given_up(root: Path) -> None:
    made = stack(root, component("one", "import time; time.sleep(1.3); raise SystemExit('too old')"))
    assert up(made) == {"one": "failed"}
    assert "ended again and again" in state(made, "one")[1]


def test_whoever_else_answers_on_its_port_is_not_it(root: Path) -> None:
    """The program itself must listen: here it lives, and another process has its port and answers."""
    made = stack(root, component("one", "import time; time.sleep(600)", ready_within=4))
    made.plan(["one"])
    port = made.layout.read().ports["one.http"]
    other = subprocess.Popen([sys.executable, "-c", SERVER, str(port)])
    try:
        wait_for(lambda: accepts(port))
        assert dict(made.up(steps()[1], Interruption())) == {"one": "failed"}
        assert "was not ready after 4 s" in state(made, "one")[1]
        assert made.supervisor.states()["one"].pid == 0, "it does not run on, unseen"
    finally:
        other.kill()
        other.wait()


def test_a_taken_port_is_exchanged_when_it_is_planned(root: Path) -> None:
    made = stack(root, component("one"))
    made.plan(["one"])
    before = made.layout.read().ports["one.http"]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", before))
        taken.listen()
        assert up(made) == {"one": "ready"}
    assert made.layout.read().ports["one.http"] != before


def test_a_crash_is_mended_by_the_supervisor(root: Path) -> None:
    made = stack(root, component("one"))
    up(made)
    pid = made.supervisor.states()["one"].pid
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: made.supervisor.states()["one"].pid not in (0, pid) and state(made, "one")[0] == "ready")


def test_what_cannot_be_had_is_left_out_in_words_and_who_only_wants_it_goes_on(root: Path) -> None:
    def install(site: Site) -> None:
        raise LeftOut("There is no such thing for this machine.")

    seen: list[bool] = []
    made = stack(
        root,
        component("rare", install=install),
        component("early", unavailable=lambda: "Install `mvn`."),
        component("eager", wants=("rare", "early"), prepare=lambda site: seen.append(site.has("rare"))),
    )
    assert up(made) == {"rare": "left-out", "early": "left-out", "eager": "ready"}
    assert seen == [False]
    assert state(made, "early") == ("left-out", "Install `mvn`.")


def test_too_little_room_is_said_before_anything_is_fetched(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=5 << 20))
    fetched: list[str] = []
    made = stack(root, component("one", disk=100, install=lambda site: fetched.append("it")))
    assert up(made) == {"one": "failed"}
    assert "only 5 MiB are free" in state(made, "one")[1]
    assert fetched == []


def test_a_disk_that_fills_up_meanwhile_is_said(root: Path) -> None:
    def install(site: Site) -> None:
        raise OSError(28, "No space left on device", "/somewhere")

    made = stack(root, component("one", install=install))
    assert up(made) == {"one": "failed"}
    assert state(made, "one") == ("failed", "No space left on device: /somewhere")


def test_an_interrupted_up_ends_what_it_began_and_the_next_goes_on(root: Path) -> None:
    held = root.parent / "held"

    def install(site: Site) -> None:
        if not held.exists():
            held.touch()
            site.run([sys.executable, "-c", "import time; time.sleep(600)"])

    made = stack(root, component("one", install=install))
    made.plan(["one"])
    interruption, ends = Interruption(), []

    def work() -> None:
        try:
            made.up(steps()[1], interruption)
        except Interrupted as error:
            ends.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    wait_for(held.exists)
    interruption.ask()
    thread.join(20)
    assert len(ends) == 1
    assert state(made, "one")[0] == "stopped"
    assert up(made) == {"one": "ready"}


def test_two_commands_at_once_do_not_mix(root: Path) -> None:
    made = stack(root, component("one"))
    made.plan(["one"])
    for command in (lambda: made.up(steps()[1], Interruption()), made.down, made.reset):
        with made._alone(), pytest.raises(StackError, match=rf"Another command is at work.*process {os.getpid()}\)"):
            command()
    assert made.layout.read().components == ("one",), "nothing was deleted"


def test_a_program_that_does_not_end_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = stack(root, component("one", f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SERVER}"))
    up(made)
    monkeypatch.setattr("openlakes_portal_stack.runner.supervision.KILLED_WITHIN", -4)  # it is killed after 5 s
    pid = made.supervisor.states()["one"].pid
    with pytest.raises(StackError, match=rf"one \(process {pid}\) did not end"):
        made.down()


def test_it_belongs_to_no_process_that_is_not_there(root: Path) -> None:
    made = stack(root, component("one"))
    made.plan(["one"])
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with pytest.raises(StackError, match=f"There is no process {gone.pid}"):
        made.up(steps()[1], Interruption(), owner=gone.pid)
    assert not made.supervisor.is_running(), "nothing was started"


def test_another_version_is_started_anew(root: Path) -> None:
    old = component("one")
    up(stack(root, old))
    pid = stack(root, old).supervisor.states()["one"].pid
    newer = stack(root, replace(old, version="2"))
    assert up(newer) == {"one": "ready"}
    assert newer.supervisor.states()["one"].pid != pid


def test_what_it_wants_and_came_later_is_given_to_it(root: Path) -> None:
    seen: list[bool] = []
    made = stack(
        root,
        component("engine", wants=("store",), prepare=lambda site: seen.append(site.has("store"))),
        component("store"),
    )
    up(made, "engine")
    up(made, "engine", "store")
    up(made, "engine", "store")
    assert seen == [False, True]


def test_an_existing_installation_takes_a_components_place(root: Path) -> None:
    def install(site: Site) -> None:
        raise AssertionError("it is not ours to install")

    addresses: list[str] = []
    made = stack(
        root,
        component("lake", install=install, requires=("store",)),
        component("store", install=install),
        component("engine", requires=("lake",), prepare=lambda site: addresses.append(site.of("lake").address)),
    )
    made.plan(["engine"], external={"lake": "https://lake.example.com"})
    assert dict(made.up(steps()[1], Interruption())) == {"lake": "ready", "engine": "ready"}
    assert addresses == ["https://lake.example.com"]
    assert state(made, "lake")[0] == "external"


def test_a_stack_ends_with_its_owner_however_that_died(root: Path) -> None:
    made = stack(root, component("one"))
    made.plan(["one"])
    owner = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    made.up(steps()[1], Interruption(), owner=owner.pid)
    pid = made.supervisor.states()["one"].pid
    owner.kill()
    owner.wait()
    wait_for(lambda: not psutil.pid_exists(pid) and not made.supervisor.is_running())


def test_reset_forgets_everything_also_what_lies_elsewhere(root: Path) -> None:
    elsewhere = root.parent / "elsewhere"
    elsewhere.mkdir()
    made = stack(root, component("one", forget=lambda folder: shutil.rmtree(elsewhere)))
    up(made)
    made.reset()
    assert not root.exists()
    assert not elsewhere.exists()


def test_reset_forgets_what_lies_elsewhere_also_where_the_folder_was_deleted_by_hand(root: Path) -> None:
    elsewhere = root.parent / "elsewhere"
    elsewhere.mkdir()
    made = stack(root, component("one", forget=lambda folder: shutil.rmtree(elsewhere)))
    made.reset()
    assert not elsewhere.exists()


def test_a_folder_that_goes_while_a_command_waits_for_its_lock_is_told(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = stack(root, component("one"))
    made.plan(["one"])
    opened = made._opened

    def removed_meanwhile(file: Path) -> TextIO:
        held = opened(file)
        shutil.rmtree(root)
        return held

    monkeypatch.setattr(made, "_opened", removed_meanwhile)
    with pytest.raises(StackError, match="was removed meanwhile"):
        made.down()
    monkeypatch.undo()
    with pytest.raises(StackError, match="cannot be used"), made._alone():
        pass


def test_children_of_a_killed_program_end_with_it(root: Path) -> None:
    child = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SERVER}"
    parent = (
        "import pathlib, subprocess, sys;"
        f"child = subprocess.Popen([sys.executable, '-c', {child!r}, sys.argv[1]]);"
        "pathlib.Path('child').write_text(str(child.pid)); child.wait()"
    )
    made = stack(root, component("one", parent))
    up(made)
    port, written = made.layout.read().ports["one.http"], made.layout.component("one") / "child"
    wait_for(lambda: accepts(port) and written.read_text().isdecimal())
    pid = int(written.read_text())
    made.down()
    assert not accepts(port), "it heeds no request to end"
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_component_that_takes_the_portals_keys_waits_for_the_portal(root: Path) -> None:
    keys = root.parent / "www" / ".well-known" / "jwks.json"
    made = stack(root, component("one", needs_portal=True))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made.plan(["one"], portal=f"http://127.0.0.1:{port}")
    told: list[str] = []
    thread = threading.Thread(target=lambda: made.up(lambda id, step: told.append(step.text), Interruption()))
    thread.start()
    wait_for(lambda: any("for the portal" in text for text in told))
    keys.parent.mkdir(parents=True)
    keys.write_text("{}")
    portal = subprocess.Popen([sys.executable, "-c", SERVER, str(port)], cwd=root.parent / "www")
    try:
        thread.join(40)
        assert state(made, "one")[0] == "ready"
    finally:
        portal.kill()
        portal.wait()


def test_no_secret_stands_among_a_process_words(root: Path) -> None:
    made = stack(
        root,
        component(
            "one", secrets=("key",), prepare=lambda site: site.run(["true"], {"KEY": site.secret("key")}) and None
        ),
    )
    up(made)
    secret = (made.layout.component("one") / "secrets" / "key").read_text()
    words = [" ".join(each.info["cmdline"] or []) for each in psutil.process_iter(["cmdline"])]
    assert not [line for line in words if secret in line]


def test_unknown_components_are_named_with_those_there_are(root: Path) -> None:
    with pytest.raises(StackError, match="no component 'trno'; there are one"):
        stack(root, component("one")).plan(["trno"])
