"""What the stack asks of its own components goes to them, and to no proxy that the machine names."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from openlakes_portal_stack.runner.loopback import ask
from openlakes_portal_stack.runner.work import base_environment, fetching_environment


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """What a proxy got that `http_proxy` names, and `no_proxy` does not restrict."""
    got: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)

        def serve() -> None:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                got.append(connection.recv(4096))

        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{listener.getsockname()[1]}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield got
        listener.close()


def test_a_component_is_asked_itself(proxy: list[bytes]) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, and not listening
        with pytest.raises(ConnectionRefusedError) as refused:
            _raise_reason(f"http://127.0.0.1:{nobody.getsockname()[1]}/v1/sys/unseal")
    assert refused.value.errno
    assert proxy == []


def _raise_reason(address: str) -> None:
    try:
        ask(address, 3)
    except OSError as error:
        raise getattr(error, "reason", error) from None


def test_programs_are_told_to_leave_this_machine_out(proxy: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    home = Path("/home/nobody")
    for told in (base_environment(home), fetching_environment(home)):
        assert told["no_proxy"] == told["NO_PROXY"] == "127.0.0.1,localhost,::1"
    monkeypatch.setenv("NO_PROXY", ".corp.example")
    assert fetching_environment(home)["no_proxy"] == ".corp.example,127.0.0.1,localhost,::1"


def test_a_proxy_may_hold_credentials_so_only_what_fetches_knows_it(proxy: list[bytes]) -> None:
    home = Path("/home/nobody")
    assert "http_proxy" not in base_environment(home)
    assert fetching_environment(home)["http_proxy"].startswith("http://127.0.0.1:")
