"""The targets of the Makefile, one function each."""

import os
import re
import sys
from collections.abc import Callable

from bootstrap import console, locking, python_environment
from bootstrap.linting import lint
from bootstrap.machine import prepare_browser
from bootstrap.paths import ROOT, Checkout
from bootstrap.process import Failure, end_on_signals, run, say
from bootstrap.stamps import only_one

HERE = Checkout(ROOT)
LOCK = ROOT / "build" / "setup.lock"
# Seconds after which a test counts as hanging: no test may stop the run.
TEST_TIMEOUT = 300


def prepare(for_development: bool) -> None:
    """Environment and console, ready to use; at once when they are."""
    with only_one(LOCK):
        python_environment.prepare(HERE, for_development)
        console.prepare(HERE)


def setup() -> int:
    """Everything that the other targets need."""
    prepare(for_development=True)
    say("Ready.")
    return 0


def demo() -> int:
    """The demo; PORT, DATA and LITE come by the environment, so that no shell takes them apart."""
    prepare(for_development=False)
    options = [
        word for name in ("PORT", "DATA") if os.environ.get(name) for word in (f"--{name.lower()}", os.environ[name])
    ]
    lite = ["--lite"] if os.environ.get("LITE", "0") not in ("", "0") else []
    # The command takes our place: signals reach it, and nothing stands between it and the terminal.
    command = [str(HERE.venv / "bin" / "openlakes"), "demo", *options, *lite]
    sys.stderr.flush()
    os.execv(command[0], command)


def test() -> int:
    """All tests; what is fast comes first (conftest.py orders them)."""
    return _pytest()


def test_fast() -> int:
    """The inner loop: no browser, no real server, nothing slow."""
    return _pytest("-m", "not slow and not browser and not server", "-q")


def _pytest(*options: str) -> int:
    prepare(for_development=True)
    everything = not options
    # Hundreds of servers start in the tests. Where Python is told to keep no bytecode, each would compile all it
    # imports anew, which is more than half of a start.
    environment = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(HERE.root / "build" / "bytecode")}
    if everything:
        environment["OPENLAKES_BROWSER"] = str(prepare_browser())
    consoles = console.test(HERE)
    pythons = run([HERE.python, "-m", "pytest", f"--timeout={TEST_TIMEOUT}", *options], cwd=HERE.root, env=environment)
    if consoles:
        say(f"\nThe console's own tests failed (exit status {consoles}); their messages stand above pytest's.")
    return pythons or consoles


def bench() -> int:
    """Ratios and times of the goals, in one run; of the benches that ONLY names, where it does."""
    return _program("bench", *os.environ.get("ONLY", "").split())


def soak() -> int:
    """A long run under load that looks for leaks."""
    return _program("soak", *os.environ.get("ONLY", "").split())


def _program(name: str, *words: str) -> int:
    folder = HERE.root / "tests" / name
    if not (folder / "__main__.py").is_file():
        raise Failure(f"There is no tests/{name}/__main__.py in this checkout yet, so nothing to run.")
    prepare(for_development=True)
    return run([HERE.python, "-m", name, *words], cwd=folder.parent)


def lint_all() -> int:
    """Style, types, boundaries, and the console's own checks."""
    with only_one(LOCK):
        python_environment.prepare(HERE, for_development=True)
    return lint(HERE)


def lock() -> int:
    """Write again what is derived: constraints.txt and the list of plugins in pyproject.toml."""
    locking.regenerate(HERE)
    python_environment.prepare_uv(HERE)
    locking.lock_python(HERE)
    return 0


def docs() -> int:
    """Write docs/reference from the code again."""
    prepare(for_development=True)
    return run([HERE.python, HERE.root / "tools" / "generate_docs.py"], cwd=HERE.root)


def help_() -> int:
    """Every target with its line, read from the Makefile."""
    targets = re.findall(r"^([a-z-]+):.*?## (.+)$", (HERE.root / "Makefile").read_text(), re.MULTILINE)
    print("\n".join(f"make {name:<10} {text}" for name, text in targets))
    return 0


TARGETS: dict[str, Callable[[], int]] = {
    "setup": setup,
    "demo": demo,
    "test": test,
    "test-fast": test_fast,
    "bench": bench,
    "soak": soak,
    "lint": lint_all,
    "lock": lock,
    "docs": docs,
    "help": help_,
}


def main(arguments: list[str]) -> int:
    """Run one target; a failure that a person can act on is a sentence, not a traceback."""
    if len(arguments) != 1 or arguments[0] not in TARGETS:
        say(f"usage: python3 tools/run.py {{{','.join(TARGETS)}}}")
        return 2
    end_on_signals()
    try:
        return TARGETS[arguments[0]]()
    except Failure as failure:
        say(f"\n{failure}")
        return 1
    except KeyboardInterrupt:
        return 130
