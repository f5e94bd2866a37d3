"""`python -m workers`: cancel workers and a watcher, supervised.

The supervisor imports little: until it has started its programs, nobody cancels.
"""

import logging
import signal
import sys
import threading
from contextlib import suppress

import click

from callguard.config.errors import ConfigurationError
from callguard.config.settings import Settings
from callguard.errors import CallGuardError
from callguard.processes.program import Program
from callguard.processes.standard_streams import open_closed_streams
from callguard.processes.stop_signals import StopSignals
from callguard.processes.supervisor import Supervisor
from callguard.startup import start

_log = logging.getLogger("workers")


def _program(role: str, number: int = 1) -> Program:
    return Program(
        name=f"{role}-{number}",
        argv=(sys.executable, "-m", "workers", role),
        # An RQ worker finishes its job at the first SIGTERM and drops it at the second; a dropped drain is
        # taken up by the next worker.
        second_term_after=2.0 if role == "cancel-worker" else None,
        grace_seconds=8.0,
        essential=True,
    )


def _settings(*, again: bool = False) -> Settings:
    try:
        settings = start(again=again)
        if settings.redis_url is None:
            from callguard.bootstrap import build_drain

            build_drain(settings)  # says what is missing
    except (ConfigurationError, CallGuardError) as error:
        raise click.ClickException(str(error)) from error
    return settings


def _may_reload() -> bool:
    try:
        _settings(again=True)
    except click.ClickException as error:
        _log.error("SIGHUP: nothing was changed: %s", error)
        return False
    return True


@click.group(invoke_without_command=True)
@click.option(
    "--cancel-workers", default=2, show_default=True, envvar="CALLGUARD_CANCEL_WORKERS",
    type=click.IntRange(0, 64), help="How many cancel workers to run.",
)  # fmt: skip
@click.option("--watcher/--no-watcher", default=True, show_default=True, help="Whether to run a watcher.")
@click.pass_context
def main(context: click.Context, cancel_workers: int, watcher: bool) -> None:
    """Run cancel workers and a watcher, and start again what dies.

    Any number of machines may do so: watchers share the accounts, and one worker at a time drains an account, by
    lease. SIGHUP makes them read the settings anew; it ends them if it came because the terminal was closed.
    """
    if context.invoked_subcommand is not None:
        return
    _settings()
    programs = [_program("cancel-worker", n + 1) for n in range(cancel_workers)]
    programs += [_program("watcher")] if watcher else []
    if not programs:
        raise click.UsageError("nothing to run: --cancel-workers 0 with --no-watcher")
    with StopSignals(hangup_reloads=True) as signals:
        sys.exit(Supervisor(programs).run_until_signalled(signals, may_reload=_may_reload))


@main.command("cancel-worker")
def cancel_worker() -> None:
    """Run one cancel worker in this process."""
    from workers.cancel_worker import run_cancel_worker

    run_cancel_worker(_settings())


@main.command()
def watcher() -> None:
    """Run one watcher in this process."""
    from callguard.bootstrap import build_watcher
    from workers.beside import relaying

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: stop.set())
    try:
        parts = build_watcher(_settings())
    except CallGuardError as error:
        raise click.ClickException(str(error)) from error
    with relaying(parts.relay, parts.process_watch()):
        parts.watcher.run(stop.is_set)
    with suppress(CallGuardError):
        parts.stores.heartbeats.leave()
    _log.info("watcher stopped")


if __name__ == "__main__":
    open_closed_streams()
    main(prog_name="python -m workers")
