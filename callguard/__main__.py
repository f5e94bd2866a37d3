"""`callguard`, and `python -m callguard`."""

import sys

from callguard.processes.standard_streams import open_closed_streams


def main() -> None:
    """Run the command. Its imports take a while: Ctrl-C ends them without a traceback."""
    open_closed_streams()
    try:
        from callguard.cli import main as command
    except KeyboardInterrupt:
        sys.exit(130)
    command(prog_name="callguard")


if __name__ == "__main__":
    main()
