"""`python -m callguard.notify.verify`: names receivers that nothing can be sent to. Reads URLs on stdin, as JSON.

A process of its own, for those that must not load Apprise: gunicorn's master, before gevent has patched what
Apprise would load, and supervisors.
"""

import json
import sys

from callguard.notify.apprise import unknown_receivers

WRONG = 3
"""The exit code with wrong receivers, named on stdout. Other codes but 0 mean that this program failed."""


def main() -> int:
    """Read the URLs, check them, and print what is wrong."""
    wrong = list(unknown_receivers(json.load(sys.stdin)))
    sys.stdout.write("\n".join(wrong))
    return WRONG if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
