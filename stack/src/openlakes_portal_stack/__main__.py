"""`python -m openlakes_portal_stack`: the same as `openlakes stack`."""

import sys

from openlakes_portal_stack.command import main

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
