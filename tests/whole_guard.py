"""The guard as `bootstrap` builds it, in this process: a private Redis, a simulated Twilio, and a frozen clock."""

import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient
from twilio.request_validator import SIGNATURE_HEADER, RequestValidator

from callguard.bootstrap import ConsoleParts, build_console, build_drain, build_watcher, build_web
from callguard.cli import main
from callguard.config.settings import load_settings
from callguard.simulator import AccountConfig, RunningSimulator, SimulatorConfig, running
from callguard.store.stores import Stores
from callguard.web import create_app
from tests.frozen_clock import FrozenClock, frozen_time
from tests.waiting import wait_until
from tests.web.twilio.callbacks import fields, timestamp

TOKEN = "f" * 32
PUBLIC_URL = "https://guard.example.com"
KEYS = {role: f"the-key-of-the-{role}" for role in ("viewer", "operator", "reporter")}
CPS = 0.1
"""Of every account at the simulated Twilio: one call is dialled at once, the others wait for the clock."""


@dataclass
class WholeGuard:
    """All of it, and Twilio's truth. What is wired by `bootstrap` is used here alone."""

    services: ConsoleParts
    clock: FrozenClock
    twilio: RunningSimulator
    folder: Path

    def __post_init__(self) -> None:
        settings = self.services.settings
        self.web: FlaskClient = create_app(build_web(settings)).test_client()
        self._watcher, self._drain = build_watcher(settings).watcher, build_drain(settings).incident_drain

    @property
    def stores(self) -> Stores:
        """What the guard keeps in Redis."""
        return self.services.stores

    def queued(self, sid: str) -> list[str]:
        """Return the SIDs of the calls that Twilio has queued, the oldest first."""
        return [call for call, status in self.twilio.statuses(sid).items() if status == "queued"]

    def watch(self, is_done: Callable[[], object], description: str) -> None:
        """Watch every account until that is so, and let the looks that are under way end."""
        with ThreadPoolExecutor() as pool:

            def look() -> object:
                self._watcher.turn(pool)
                return is_done()

            wait_until(look, description, timeout=30)

    def drain(self, sid: str, generation: int) -> str:
        """Do what a cancel worker does that has taken all wake-ups; return why the drain ended."""
        self.services.drains.connection.delete("rq:queue:callguard-cancel")
        return self._drain.run(self.services.accounts[sid], generation, "a worker").value

    def call_back(self, sid: str, call_sid: str, status: str, *, token: str = TOKEN, **changes: str) -> int:
        """Send a status callback; return the HTTP status of the answer."""
        at = timestamp(self.clock.ms)
        form = fields(AccountSid=sid, CallSid=call_sid, CallStatus=status, Timestamp=at, **changes)
        signature = RequestValidator(token).compute_signature(f"{PUBLIC_URL}/twilio/status", form)
        return self.web.post("/twilio/status", data=form, headers={SIGNATURE_HEADER: signature}).status_code

    def ask(self, method: str, path: str, role: str = "operator", **request: Any) -> Any:
        """Ask the API with the key of a role; return the whole answer."""
        return self.web.open(path, method=method, headers={"x-api-key": KEYS[role]}, **request)

    def command(self, *words: str) -> Result:
        """Run `callguard` with these words."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environ.items():
                patch.setenv(name, value)
            return CliRunner().invoke(main, words)

    @property
    def environ(self) -> dict[str, str]:
        """The settings of every process of this guard."""
        return _environ(self.folder)


@contextmanager
def whole_guard(
    redis_url: str, now_ms: int, folder: Path, accounts: Mapping[str, Mapping[str, object]], **simulated: Any
) -> Iterator[WholeGuard]:
    """Run it; `accounts` has the policy keys of each account, `simulated` is said of all at Twilio."""
    configs = tuple(AccountConfig(sid, TOKEN, **{"cps": CPS, "latency": 0.0, **simulated}) for sid in accounts)
    with (
        frozen_time(now_ms) as clock,
        running(SimulatorConfig(configs)) as twilio,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(socket, "gethostname", lambda: "guard-host")
        general = {
            "public_url": PUBLIC_URL,
            "redis_url": redis_url,
            "twilio_api_url": twilio.url,
            "api_key": [f"{role}:{role}:{key}" for role, key in KEYS.items()],
        }
        folder.joinpath("callguard.toml").write_text("\n".join(_toml(general, accounts)))
        services = build_console(load_settings({**os.environ, **_environ(folder)}))
        yield WholeGuard(services, clock, twilio, folder)


def _environ(folder: Path) -> dict[str, str]:
    return {
        "CALLGUARD_CONFIG": str(folder / "callguard.toml"),
        "CALLGUARD_DATA_DIR": str(folder),
        "TOKEN": TOKEN,
        "COLUMNS": "115",
        "USER": "ada",
        "LOGNAME": "ada",
    }


def _toml(general: Mapping[str, object], accounts: Mapping[str, Mapping[str, object]]) -> Iterator[str]:
    yield from (f"{key} = {_written(value)}" for key, value in general.items())
    for sid, policy in accounts.items():
        yield f'[[accounts]]\nsid = "{sid}"\nauth_token_env = "TOKEN"'
        yield from (f"{key} = {_written(value)}" for key, value in policy.items())


def _written(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(_written, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value)
