"""The simulator's own API under `/simulator/`: reads the truth about an account, and changes its settings.

It asks for no credentials, so a simulator belongs on a loopback address.

    GET   /simulator/accounts                     [AccountTruth, ...]
    GET   /simulator/accounts/{sid}               AccountTruth
    PATCH /simulator/accounts/{sid}               {cps, latency, ceiling, others, faults: {error_rate, ...}},
                                                  or some
    GET   /simulator/accounts/{sid}/log?since=N   {"last": N, "updates": [UpdateRecord, ...]}
    POST  /simulator/accounts/{sid}/runaway       {calls, rate, from, to, status_callback,
                                                   status_callback_events, status_callback_method}
    POST  /simulator/accounts/{sid}/runaway/stop
    POST  /simulator/accounts/{sid}/hold          {"queue": "...", "calls": ["CA...", ...]}: puts them on hold

Errors are `{"error": "..."}` with 400, 404 or 405.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from aiohttp import web

from callguard.simulator.creation import read_callback
from callguard.simulator.errors import ApiError
from callguard.simulator.hosted_account import HostedAccount
from callguard.simulator.runaway import RunawayPlan

_RUNAWAY_KEYS = {
    "calls": "calls",
    "rate": "rate",
    "from": "from_number",
    "to": "to",
}
_CALLBACK_KEYS = ("status_callback", "status_callback_events", "status_callback_method")


class ControlSurface:
    """Answers what comes under `/simulator/`."""

    def __init__(self, accounts: Mapping[str, HostedAccount]) -> None:
        self._accounts = accounts

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; what is wrong with it comes back as 400."""
        try:
            body = json.loads(await request.read() or "{}")
            if not isinstance(body, dict):
                raise TypeError("the body must be a JSON object")
            return self._route(request, body)
        except (ValueError, TypeError, KeyError) as error:
            return _error(400, str(error))
        except ApiError as error:
            return _error(error.http, error.message)

    def _route(self, request: web.BaseRequest, body: dict[str, Any]) -> web.Response:
        parts = request.path.strip("/").split("/")[1:]
        if parts == ["accounts"] and request.method == "GET":
            return web.json_response([asdict(account.truth()) for account in self._accounts.values()])
        account = self._accounts.get(parts[1]) if len(parts) > 1 and parts[0] == "accounts" else None
        if account is None:
            return _error(404, f"nothing is at {request.path}")
        match request.method, parts[2:]:
            case "GET", []:
                return web.json_response(asdict(account.truth()))
            case "PATCH", []:
                account.change(body)
                return web.json_response(asdict(account.truth()))
            case "GET", ["log"]:
                return _log(account, int(request.query.get("since", "0")))
            case "POST", ["runaway"]:
                account.runaway.start(read_runaway(body))
                return web.json_response(asdict(account.truth()), status=202)
            case "POST", ["runaway", "stop"]:
                account.runaway.stop()
                return web.json_response(asdict(account.truth()))
            case "POST", ["hold"]:
                for call_sid in body.get("calls", ()):
                    account.put_on_hold(call_sid, str(body["queue"]))
                return web.json_response(asdict(account.truth()))
        return _error(404, f"nothing is at {request.method} {request.path}")


def read_runaway(body: Mapping[str, Any]) -> RunawayPlan:
    """The runaway that the body asks for. Raises `TypeError`, `ValueError` or `ApiError` if unclear."""
    if unknown := body.keys() - _RUNAWAY_KEYS.keys() - set(_CALLBACK_KEYS):
        raise TypeError(f"unknown: {', '.join(sorted(unknown))}")
    url, events, method = (body.get(key) for key in _CALLBACK_KEYS)
    callback = read_callback(url, method or "POST", events or ()) if url else None
    return RunawayPlan(**{_RUNAWAY_KEYS[key]: body[key] for key in body.keys() & _RUNAWAY_KEYS}, callback=callback)


def _log(account: HostedAccount, since: int) -> web.Response:
    updates = [asdict(record) for record in account.updates.since(since)]
    return web.json_response({"last": account.updates.last_number, "updates": updates})


def _error(http: int, message: str) -> web.Response:
    return web.json_response({"error": message}, status=http)
