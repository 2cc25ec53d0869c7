"""Stamps, and the lock that keeps two set-ups of one checkout apart."""

import fcntl
import hashlib
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

LEFT_OUT = frozenset({"node_modules", "dist", "__pycache__", "coverage"})


def files_below(folder: Path) -> Iterator[Path]:
    """Every source file below a folder in a stable order; what is built or downloaded is left out."""
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in LEFT_OUT and not name.startswith("."))
        for name in sorted(names):
            if not name.endswith((".tsbuildinfo", "~", ".swp")):
                yield Path(where, name)


def digest(root: Path, files: Iterable[Path], *words: str) -> str:
    """Hash of files (paths below root and bytes; absent ones count as absent) and of further words."""
    total = hashlib.sha256("\0".join(words).encode())
    for path in files:
        content = path.read_bytes() if path.is_file() else b"\0absent"
        total.update(f"\0{path.relative_to(root)}\0{len(content)}\0".encode() + content)
    return total.hexdigest()


def is_fresh(stamp: Path, wanted: str) -> bool:
    """Whether the thing beside the stamp was made, to its end, from the wanted inputs."""
    try:
        return stamp.read_text() == wanted
    except (OSError, UnicodeDecodeError):
        return False


def write_stamp(stamp: Path, value: str) -> None:
    """Written beside and moved: a stamp is there completely or not at all."""
    draft = stamp.with_name(f"{stamp.name}.{os.getpid()}")
    draft.write_text(value)
    draft.replace(stamp)


@contextmanager
def only_one(lock: Path) -> Iterator[None]:
    """Hold a file lock; the system takes it back when the holder dies, however it dies."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("  another set-up of this checkout is at work; waiting for it", file=sys.stderr, flush=True)
            fcntl.flock(held, fcntl.LOCK_EX)
        yield
