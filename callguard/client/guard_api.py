"""The guard's two requests that a caller's program makes: ask the gate, report created calls."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from callguard.client.blocked import UNKNOWN
from callguard.client.log import log
from callguard.client.settings import KEY_SETTING, URL_SETTING, GuardSettings

_REPORT_TIMEOUT = 5.0
_CONNECTIONS = 32  # one for each account that is asked about at the same moment, and one for the reports
_PHONE_NUMBER = re.compile(r"\+?\d[\d\s().-]{3,}\d")
_HINTS = {
    401: f"check api_key ({KEY_SETTING})",
    403: f"check api_key ({KEY_SETTING}) and its role",
    404: f"check that its configuration names this account, and guard_url ({URL_SETTING})",
}


class GuardSilent(Exception):
    """The guard gave no answer that can be used; asking later may help. The text says what came instead."""


class GuardRefused(Exception):
    """The guard understood and said no; sending the same again cannot help.

    `wrong` has the places of the reports that were to blame, as far as the guard named them.
    """

    def __init__(self, message: str, wrong: Iterable[int] = ()) -> None:
        super().__init__(message)
        self.wrong = frozenset(wrong)


@dataclass(frozen=True)
class Verdict:
    """The gate's answer; `allowed` is None when the guard does not know the account."""

    allowed: bool | None
    state: str = UNKNOWN
    drain_seconds: float | None = None


class GuardApi:
    """Speaks to one guard over kept connections; safe for threads."""

    def __init__(self, settings: GuardSettings) -> None:
        self._settings = settings
        self._warned: set[int] = set()
        self.open_session()

    def open_session(self) -> None:
        """Start with fresh connections: those of a parent process must not be shared."""
        session = requests.Session()
        session.headers["x-api-key"] = self._settings.api_key
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(pool_maxsize=_CONNECTIONS))
        self._session = session

    def gate(self, account_sid: str) -> Verdict:
        """Ask whether `account_sid` may create calls.

        The connect and each wait for data are bounded by `gate_timeout`; the sum is the waiting caller's business.

        Raises:
            GuardSilent: no connection, no answer in time, or none that can be used.
        """
        path = f"/api/accounts/{account_sid}/gate"
        answer = self._send("GET", path, timeout=self._settings.gate_timeout)
        if answer.status_code == 200:
            return _verdict(answer)
        self._warn_of_setting(answer.status_code)
        if answer.status_code == 404:
            return Verdict(None)
        raise GuardSilent(f"it answered {answer.status_code}")

    def report(self, calls: list[dict[str, Any]]) -> None:
        """Tell the guard of created calls.

        Raises:
            GuardSilent: no answer, 429 or 5xx; the same batch may be sent again.
            ValueError: a value that no JSON can hold.
            GuardRefused: any other answer but 2xx; the text is the guard's own, without phone numbers.
        """
        body = json.dumps({"calls": calls}, allow_nan=False)
        headers = {"Content-Type": "application/json"}
        answer = self._send("POST", "/api/reports", data=body, headers=headers, timeout=_REPORT_TIMEOUT)
        if answer.status_code == 429 or answer.status_code >= 500:
            raise GuardSilent(f"it answered {answer.status_code}")
        if not 200 <= answer.status_code < 300:
            raise GuardRefused(f"{answer.status_code} {self._message(answer)}".strip(), _wrong_in(answer))

    def _send(self, method: str, path: str, **options: Any) -> requests.Response:
        try:
            # A redirect is not followed: it would carry the key to another host.
            return self._session.request(method, self._settings.url + path, allow_redirects=False, **options)
        except requests.RequestException as error:
            # Its text may hold the address with a password in it: the kind is enough.
            raise GuardSilent(type(error).__name__) from None

    def _warn_of_setting(self, status: int) -> None:
        hint = _HINTS.get(status) or (f"check guard_url ({URL_SETTING})" if status < 500 else "")
        if hint and status not in self._warned:
            self._warned.add(status)
            log.warning("The guard answered %d to the gate's question: %s.", status, hint)

    def _message(self, answer: requests.Response) -> str:
        body = _json(answer)
        text = str(body.get("message", "")) if isinstance(body, dict) else ""
        text = _PHONE_NUMBER.sub("***", text.replace(self._settings.api_key, "***"))
        return "".join(sign for sign in text if sign.isprintable())[:200]


def _verdict(answer: requests.Response) -> Verdict:
    body = _json(answer)
    if not isinstance(body, dict) or not isinstance(body.get("allowed"), bool):
        raise GuardSilent("its answer is malformed")
    drain = body.get("drain_seconds")
    drain_seconds = float(drain) if isinstance(drain, int | float) else None
    return Verdict(body["allowed"], str(body.get("state", UNKNOWN)), drain_seconds)


def _wrong_in(answer: requests.Response) -> Iterator[int]:
    body = _json(answer)
    errors = body.get("errors") if isinstance(body, dict) else None
    for error in errors if isinstance(errors, list) else []:
        place = error.get("index") if isinstance(error, dict) else None
        if isinstance(place, int):
            yield place


def _json(answer: requests.Response) -> Any:
    try:
        return answer.json()
    except (ValueError, RecursionError):
        return None
