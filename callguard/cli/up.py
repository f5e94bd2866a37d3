"""`up`: everything on one machine."""

import errno
import logging
import os
import shutil
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import click

import callguard
from callguard.bootstrap import build_console
from callguard.cli.connect import has_account
from callguard.cli.output import console, say
from callguard.cli.sandbox import Sandbox, loopback_excepted
from callguard.cli.sandbox_view import SandboxView
from callguard.config.environment import expanded
from callguard.config.errors import ConfigurationError
from callguard.config.settings import load_settings
from callguard.domain.batches import will_cancel
from callguard.domain.wording import figure
from callguard.errors import CallGuardError
from callguard.logs import configure_logging
from callguard.processes.embedded_valkey import EmbeddedValkey
from callguard.processes.program import Program
from callguard.processes.standard_streams import LastingOutput
from callguard.processes.stop_signals import StopSignals
from callguard.processes.supervisor import Supervisor
from callguard.startup import SETTINGS_LOGGED, start, verify_receivers, verify_redis_urls
from callguard.store.decision_file import NAME as DECISIONS

_log = logging.getLogger(__name__)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address that the web server listens on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="Its port.")
@click.option(
    "--web-workers", default=2, show_default=True, type=click.IntRange(1, 64), help="gunicorn workers.",
    envvar="CALLGUARD_WEB_WORKERS", show_envvar=True,
)  # fmt: skip
@click.option(
    "--cancel-workers", default=2, show_default=True, type=click.IntRange(1, 64), help="RQ workers.",
    envvar="CALLGUARD_CANCEL_WORKERS", show_envvar=True,
)  # fmt: skip
@click.option("--sandbox", is_flag=True, help="Run the sandbox even if Twilio credentials are set.")
def up(host: str, port: int, web_workers: int, cancel_workers: int, sandbox: bool) -> None:
    """Run the guard: web server, cancel workers, watcher, and a Valkey unless CALLGUARD_REDIS_URL is set.

    Without TWILIO_ACCOUNT_SID (or a file named by CALLGUARD_CONFIG) it runs the sandbox: a simulated Twilio and
    a script that runs away, so that you can watch it being stopped. Nobody is called.

    Ctrl-C and SIGTERM stop it. SIGHUP makes the guard read its settings anew.
    """
    sys.stdout = LastingOutput(sys.stdout)
    programs = {"CALLGUARD_WEB_WORKERS": str(web_workers), "CALLGUARD_CANCEL_WORKERS": str(cancel_workers)}
    try:
        if sandbox or not has_account(os.environ):
            code = _run_sandbox(host, port, programs)
        else:
            code = _run_guard(host, port, programs)
    except (ConfigurationError, CallGuardError, OSError) as error:
        raise click.ClickException(str(error)) from error
    sys.exit(code)


def _run_guard(host: str, port: int, extra: Mapping[str, str]) -> int:
    _demand_free(host, port)
    settings = start()
    with ExitStack() as stack:
        signals = stack.enter_context(StopSignals(hangup_reloads=True))
        environ = {**extra, "CALLGUARD_BIND": f"{host}:{port}"}
        valkey = None
        if settings.redis_url is None:
            valkey = stack.enter_context(EmbeddedValkey(settings.data_dir))
            environ["CALLGUARD_REDIS_URL"] = valkey.url
        say("CallGuard guards")
        for account in settings.accounts.values():
            mode, cps = account.policy.mode.value, figure(account.policy.cps)
            say(f"  {account.sid}, mode {mode}, {cps} calls per second")
            say(f"    {will_cancel(account.policy)}")
        say(_addresses(settings.public_url, host, port))
        revive = valkey.revive if valkey else None
        return Supervisor(_programs(environ)).run_until_signalled(signals, revive, _may_reload)


def _may_reload() -> bool:
    try:
        start(again=True)
    except ConfigurationError as error:
        _log.error("SIGHUP: nothing was changed: %s", error)
        return False
    return True


def _run_sandbox(host: str, port: int, extra: Mapping[str, str]) -> int:
    _demand_free(host, port)
    sandbox = Sandbox(f"http://{host}:{port}", f"http://127.0.0.1:{_any_free_port()}")
    environ = {**sandbox.environ(os.environ), **extra, "CALLGUARD_BIND": f"{host}:{port}", SETTINGS_LOGGED: "1"}
    settings = load_settings({**os.environ, **environ})
    folder = settings.data_dir / "sandbox"
    os.environ.update(loopback_excepted(os.environ))
    configure_logging("WARNING")
    verify_redis_urls(settings)
    verify_receivers(settings)
    with ExitStack() as stack:
        signals = stack.enter_context(StopSignals())
        valkey = stack.enter_context(EmbeddedValkey(folder, fresh=True))
        _forget_the_last(folder)
        stack.enter_context(sandbox.published(folder))
        environ |= {"CALLGUARD_REDIS_URL": valkey.url, "CALLGUARD_DATA_DIR": str(folder)}
        say(_greeting(sandbox, host, port, folder))
        view = SandboxView(sandbox, build_console(load_settings({**os.environ, **environ})), console(), signals)
        stack.callback(view.end)
        supervisor = Supervisor([sandbox.program(folder), *_programs(environ, folder)])
        return supervisor.run_until_signalled(signals, alongside=_both(valkey.revive, view.tick))


def _programs(environ: Mapping[str, str], logs: Path | None = None) -> list[Program]:
    """The web server and the workers; their output goes to `logs`, or to the terminal."""
    python = sys.executable
    config = str(_gunicorn_config())
    # A `workers/` or `callguard/` in the current folder must not be imported in place of ours.
    root = str(Path(callguard.__file__).parents[1])
    environ = {**_absolute_paths(os.environ), **environ, "PYTHONSAFEPATH": "1"}
    return [
        Program(
            name=name,
            argv=argv,
            env=environ,
            log_path=logs / f"{name}.log" if logs else None,
            grace_seconds=15.0,
            essential=True,
            reload_signal=signal.SIGHUP,
        )
        for name, argv in {
            "web": (python, "-m", "callguard.processes.serve", root, config),
            "workers": (python, "-m", "workers"),
        }.items()
    ]


def _absolute_paths(environ: Mapping[str, str]) -> dict[str, str]:
    """The settings that are paths, such that they hold in any folder."""
    given = {name: environ.get(name, "").strip() for name in ("CALLGUARD_CONFIG", "CALLGUARD_DATA_DIR")}
    return {name: str(expanded(path, environ)) for name, path in given.items() if path}


def _gunicorn_config() -> Path:
    """`deploy/gunicorn.conf.py` of the checkout, or the copy that an installed wheel has."""
    places = (Path(callguard.__file__).parents[1], Path(sys.prefix, "share", "callguard"))
    for place in places:
        if (found := place / "deploy" / "gunicorn.conf.py").is_file():
            return found
    raise click.ClickException(f"deploy/gunicorn.conf.py is neither in {places[0]} nor in {places[1]}")


def _forget_the_last(folder: Path) -> None:
    """Forget what the last sandbox and its `callguard cancel` wrote. The folder's lock is ours by now."""
    shutil.rmtree(folder / "cancel", ignore_errors=True)
    for name in ("web", "workers", "simulated-twilio"):
        (folder / f"{name}.log").unlink(missing_ok=True)
    (folder / DECISIONS).unlink(missing_ok=True)


def _both(first: Callable[[], object], second: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        first()
        second()

    return run


def _demand_free(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except socket.gaierror as error:
            raise click.ClickException(
                f"cannot listen on {host}: no such host ({error.strerror}); choose another with --host."
            ) from error
        except OSError as error:
            option = "--host" if error.errno == errno.EADDRNOTAVAIL else "--port"
            raise click.ClickException(
                f"cannot listen on {host} port {port} ({error.strerror}); choose another with {option}."
            ) from error


def _any_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


CONNECTION_OVERRIDES = "#rc=3&rp=5xx,ct,rt"
"""Have Twilio send a callback again that was not taken
(https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides)."""


def callback_address(public_url: str) -> str:
    """Return where Twilio is to send status callbacks; the query is masked: it may be a password."""
    parts = urlsplit(public_url)
    query = "?..." if parts.query else ""
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}/twilio/status{query}{CONNECTION_OVERRIDES}"


def _addresses(public_url: str, host: str, port: int) -> str:
    return (
        f"  status callbacks  {callback_address(public_url)}\n"
        f"  metrics           http://{host}:{port}/metrics\n"
        f"  health            http://{host}:{port}/healthz, /readyz and /healthz/guard\n"
        f"  operator API      http://{host}:{port}/api/accounts"
    )


def _greeting(sandbox: Sandbox, host: str, port: int, folder: Path) -> str:
    return (
        "CallGuard sandbox: a simulated Twilio, and a script that is about to run away.\n"
        "Nobody is called.\n"
        f"{_addresses(sandbox.web_url, host, port)}\n"
        f"  simulated Twilio  {sandbox.twilio_url}/simulator/accounts\n"
        f"  logs              {folder}/*.log\n"
        "In another terminal: `callguard status`, `callguard check`.\n"
        "To guard a real account, set TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and CALLGUARD_PUBLIC_URL.\n"
    )
