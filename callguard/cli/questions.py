"""Questions whose answer cancels calls."""

import sys
import termios

import click


def is_confirmed(question: str, *, default: bool = False) -> bool:
    """Ask on the terminal. What was typed before the question could be read is no answer to it."""
    if sys.stdin.isatty():
        termios.tcflush(sys.stdin, termios.TCIFLUSH)
    return click.confirm(question, default=default)
