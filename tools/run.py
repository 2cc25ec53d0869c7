"""What the Makefile calls: `python3 tools/run.py TARGET`. Needs nothing but Python's standard library.

This one file is kept readable for old Pythons, so that they are answered by a sentence and not by a syntax error.
"""

import os
import shutil
import sys

OLDEST = (3, 11)
NEWER = ("python3.14", "python3.13", "python3.12", "python3.11")


def use_a_new_enough_python():
    # type: () -> None
    """Go on with the newest Python of this machine where the one that was called is too old."""
    if sys.version_info >= OLDEST:
        return
    for name in NEWER:
        found = shutil.which(name)
        if found:
            os.execv(found, [found] + sys.argv)  # noqa: RUF005 - old syntax on purpose
    sys.stderr.write(
        "OpenLakes Portal needs Python 3.11 or newer; %s is Python %s.\n"  # noqa: UP031 - old syntax on purpose
        "Install a newer one and say `make PYTHON=/path/to/python3.11 ...`.\n"
        % (sys.executable, sys.version.split()[0])
    )
    sys.exit(2)


if __name__ == "__main__":
    use_a_new_enough_python()
    from bootstrap.targets import main

    sys.exit(main(sys.argv[1:]))
