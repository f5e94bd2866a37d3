"""Twilio's REST API for calls and hold queues: who may enter, how many at once, and the headers of every reply."""

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from random import Random
from time import perf_counter
from urllib.parse import parse_qs

from aiohttp import web

from callguard.simulator import errors
from callguard.simulator.errors import ApiError
from callguard.simulator.hosted_account import HostedAccount
from callguard.simulator.rest_request import Reply, RestRequest, Target, refusal


class RestApi:
    """Answers what comes under `/2010-04-01/`."""

    def __init__(self, accounts: Mapping[str, HostedAccount], seed: int, closing: asyncio.Event) -> None:
        self._accounts = accounts
        self._closing = closing
        self._random = Random(f"{seed} requests")  # noqa: S311  request ids, not secrets
        self._sid_by_credentials = {_basic(a.config.sid, a.config.auth_token): sid for sid, a in accounts.items()}
        self._sid_by_credentials |= {
            _basic(key, secret): sid for sid, a in accounts.items() for key, secret in a.config.api_keys
        }

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request. Never raises."""
        started, account = perf_counter(), None
        path, _, query = request.raw_path.partition("?")
        try:
            account, target = self._authorized(path, request.headers.get("Authorization", ""))
            reply = await self._admit(request, account, target, query)
        except ApiError as error:
            reply = refusal(error)
        if reply.body is None:
            return _hang_up(request)
        headers = {
            "Content-Type": "application/json",
            "Twilio-Request-Duration": f"{perf_counter() - started:.3f}",
            "Twilio-Request-Id": f"RQ{self._random.getrandbits(128):032x}",
        }
        return web.Response(
            status=reply.http, body=reply.body.encode(), headers=headers | _of_account(account, reply.http)
        )

    def _authorized(self, path: str, credentials: str) -> tuple[HostedAccount, Target]:
        """The account and what of it the path names. Raises `ApiError` 401, 404."""
        signed_in = self._sid_by_credentials.get(credentials)
        if signed_in is None:
            raise errors.unauthorized()
        match path.split("/")[2:]:
            case ["Accounts", sid, "Calls.json"]:
                target = Target("calls")
            case ["Accounts", sid, "Calls", name] if name.endswith(".json"):
                target = Target("call", name.removesuffix(".json"))
            case ["Accounts", sid, "Queues.json"]:
                target = Target("queues")
            case ["Accounts", sid, "Queues", queue_sid, "Members.json"]:
                target = Target("members", queue_sid)
            case _:
                raise errors.not_found(path)
        account = self._accounts.get(sid)
        if account is None or signed_in not in (sid, account.config.parent_sid):
            raise errors.unauthorized()
        return account, target

    async def _admit(self, request: web.BaseRequest, account: HostedAccount, target: Target, query: str) -> Reply:
        """Let the request in below the ceiling; a request above it is refused at once, and not executed."""
        if account.dice.throttles() or account.concurrent >= account.ceiling:
            account.requests.throttled += 1
            raise errors.too_many_requests()
        account.in_flight += 1
        account.max_concurrent = max(account.max_concurrent, account.in_flight)
        try:
            text = (await request.read()).decode(errors="replace")
            form = parse_qs(text, keep_blank_values=True)
            return await RestRequest(account, request.method, target, query, form).serve(self._closing)
        finally:
            account.in_flight -= 1


def _of_account(account: HostedAccount | None, http: int) -> dict[str, str]:
    """The headers that tell of the account's load."""
    headers = {}
    if account is None or account.config.tells_concurrency:
        # The request itself has just been let go.
        headers["Twilio-Concurrent-Requests"] = str(1 if account is None else account.concurrent + 1)
    if http == 429 and account is not None and account.dice.faults.retry_after_seconds:
        headers["Retry-After"] = f"{account.dice.faults.retry_after_seconds:g}"
    return headers


def _hang_up(request: web.BaseRequest) -> web.StreamResponse:
    """Close the client's connection; the returned response is never written."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()
