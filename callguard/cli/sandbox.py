"""The sandbox: a simulated Twilio with one account, and a script that runs away."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3

from callguard.config.policies import ENV_PREFIX
from callguard.processes.program import Program
from callguard.simulator import SANDBOX_ACCOUNT_SID, SANDBOX_AUTH_TOKEN

CPS = 5
LATENCY_SECONDS = 0.1
CEILING = 100
RUNAWAY_CALLS = 2000
RUNAWAY_RATE = 200
_PATIENCE_SECONDS = 1.0
_PUBLISHED = "sandbox.json"


def sandbox_settings(outer: Mapping[str, str]) -> dict[str, str]:
    """Return account and policy of every sandbox. Other values for them in `outer` are blanked, as if unset."""
    return {
        **dict.fromkeys((name for name in outer if name.upper().startswith(ENV_PREFIX)), ""),
        "TWILIO_ACCOUNT_SID": SANDBOX_ACCOUNT_SID,
        "TWILIO_AUTH_TOKEN": SANDBOX_AUTH_TOKEN,
        "CALLGUARD_CONFIG": "",
        "CALLGUARD_REDIS_URL": "",
        "CALLGUARD_QUEUE_REDIS_URL": "",
        "CALLGUARD_POLICY__CPS": str(CPS),
        "CALLGUARD_POLICY__POLL_SECONDS": "2",
        "CALLGUARD_POLICY__QUIET_SECONDS": "20",
    }


def loopback_excepted(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that exempt the sandbox, which is on this machine, from a proxy."""
    present = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    return dict.fromkeys(("no_proxy", "NO_PROXY"), ",".join(filter(None, [present, "127.0.0.1,localhost"])))


def where_published(folder: Path) -> dict[str, str] | None:
    """Return the settings with the addresses of a running sandbox; None if none has published them."""
    try:
        return dict(json.loads((folder / _PUBLISHED).read_text()))
    except (OSError, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Where the sandbox's parts are.

    Attributes:
        web_url: the guard, as the simulated Twilio sees it.
        twilio_url: the simulated Twilio.
    """

    web_url: str
    twilio_url: str

    def environ(self, outer: Mapping[str, str]) -> dict[str, str]:
        """Return the settings that stand in for a real account's and for the policy that `outer` has."""
        return {**sandbox_settings(outer), **self._addresses}

    @contextmanager
    def published(self, folder: Path) -> Iterator[None]:
        """While entered, publish our addresses in the sandbox's folder for the commands of other terminals."""
        place = folder / _PUBLISHED
        fresh = place.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(self._addresses))
        fresh.replace(place)
        try:
            yield
        finally:
            place.unlink(missing_ok=True)

    @property
    def _addresses(self) -> dict[str, str]:
        return {"CALLGUARD_TWILIO_API_URL": self.twilio_url, "CALLGUARD_PUBLIC_URL": self.web_url}

    def program(self, logs: Path) -> Program:
        """Return the simulated Twilio as a child program that writes its log to the folder `logs`."""
        port = urllib3.util.parse_url(self.twilio_url).port
        sink = f"{self.web_url}/twilio/events"
        options = (
            *("--port", port, "--cps", CPS, "--latency", LATENCY_SECONDS, "--ceiling", CEILING),
            *("--event-sink", sink),
        )
        return Program(
            name="simulated-twilio",
            argv=(sys.executable, "-m", "callguard", "simulate", *map(str, options)),
            env={"PYTHONSAFEPATH": "1"},
            log_path=logs / "simulated-twilio.log",
            essential=True,
        )

    def run_away(self) -> None:
        """Let the script create `RUNAWAY_CALLS` calls; returns at once."""
        self._ask(
            "POST",
            "/runaway",
            {
                "calls": RUNAWAY_CALLS,
                "rate": RUNAWAY_RATE,
                "status_callback": f"{self.web_url}/twilio/status",
                "status_callback_events": ["initiated", "ringing", "answered", "completed"],
            },
        )

    def truth(self) -> Mapping[str, Any]:
        """Return what the simulated Twilio itself knows of the account."""
        return self._ask("GET")

    def is_up(self) -> bool:
        """Return whether guard and Twilio answer."""
        try:
            ready = urllib3.request("GET", f"{self.web_url}/readyz", timeout=_PATIENCE_SECONDS, retries=False)
            self.truth()
        except urllib3.exceptions.HTTPError:
            return False
        return ready.status == 200

    def _ask(self, method: str, path: str = "", body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        answer = urllib3.request(
            method,
            f"{self.twilio_url}/simulator/accounts/{SANDBOX_ACCOUNT_SID}{path}",
            body=json.dumps(body).encode() if body else None,
            timeout=_PATIENCE_SECONDS,
            retries=False,
        )
        return dict(answer.json())
