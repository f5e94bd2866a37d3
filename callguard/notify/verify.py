"""`python -m callguard.notify.verify`: says which receivers are none. The URLs come in on stdin, as JSON.

A process of its own, for those that must not load Apprise: gunicorn's master, before gevent has patched what
Apprise would load, and supervisors.
"""

import json
import sys

from callguard.notify.apprise import unknown_receivers

WRONG = 3
"""The exit code with which what is wrong is on stdout. Any other but 0 is a failure of this program's own."""


def main() -> int:
    """Read, look, say."""
    wrong = list(unknown_receivers(json.load(sys.stdin)))
    sys.stdout.write("\n".join(wrong))
    return WRONG if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
