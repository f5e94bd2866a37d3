"""`callguard`, and `python -m callguard`."""

import sys


def main() -> None:
    """Run the command. Its imports take a while: Ctrl-C ends them without a traceback."""
    try:
        from callguard.cli import main as command
    except KeyboardInterrupt:
        sys.exit(130)
    command(prog_name="callguard")


if __name__ == "__main__":
    main()
