"""Serving one REST request: its latency, its fault, and what it does to the model."""

import asyncio
from dataclasses import dataclass
from urllib.parse import parse_qsl

from callguard.simulator import errors
from callguard.simulator.creation import Form, read_new_call
from callguard.simulator.errors import ApiError
from callguard.simulator.faults import RequestFault
from callguard.simulator.hosted_account import HostedAccount
from callguard.simulator.listing import read_page_request, select_page
from callguard.simulator.queue_resource import members_json, queues_json
from callguard.simulator.rate_queue import QueueFullError
from callguard.simulator.resource import call_json, error_json, page_json
from callguard.simulator.truth import UpdateRecord
from callguard.simulator.updates import read_update


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back. Without a body of its own, the connection is closed instead."""

    http: int
    body: str | None


_NO_REPLY = Reply(0, None)


def refusal(error: ApiError) -> Reply:
    """What Twilio answers to a request that it refuses."""
    return Reply(error.http, error_json(error))


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is about: `calls`, one `call`, the hold `queues`, or the `members` of one."""

    kind: str
    sid: str = ""


@dataclass(frozen=True, slots=True)
class RestRequest:
    """One request that was let in below the ceiling."""

    account: HostedAccount
    method: str
    target: Target
    query: str
    form: Form

    async def serve(self, closing: asyncio.Event) -> Reply:
        """Do what it asks, slowly and with its fault. A hanging request ends early on `closing`. Never raises."""
        account, counts = self.account, self.account.requests
        fault = account.dice.request_fault()
        if fault is RequestFault.HANG:
            counts.hangs += 1
            await _wait(closing, account.dice.faults.hang_seconds)
            self._note_fault("hang", 0)
            return _NO_REPLY
        if account.latency:
            await asyncio.sleep(account.latency * account.dice.jitter(account.config.latency_jitter))
        if fault is RequestFault.ERROR:
            counts.errors += 1
            http = account.dice.error_http()
            self._note_fault("error", http)
            return refusal(errors.server_error(http))
        lost = fault is RequestFault.LOST_REPLY
        counts.lost_replies += lost
        reply = self._execute(lost)
        return _NO_REPLY if lost else reply

    def _execute(self, lost: bool) -> Reply:
        try:
            match self.method, self.target.kind:
                case "GET", "calls":
                    return self._list()
                case "POST", "calls":
                    return self._create()
                case "GET", "call":
                    return self._fetch(self.target.sid)
                case "POST", "call":
                    return self._update(self.target.sid, lost)
                case "GET", "queues" | "members":
                    return self._list_holds()
            raise errors.method_not_allowed()
        except ApiError as error:
            return refusal(error)

    def _list(self) -> Reply:
        account = self.account
        account.requests.lists += 1
        query = self._query()
        request = read_page_request(query)
        now = account.now()
        page = select_page(account.model, request, now)
        view = now - account.config.list_lag
        return Reply(200, page_json(page, request, query, account.config.sid, view))

    def _list_holds(self) -> Reply:
        account = self.account
        account.requests.hold_lists += 1
        now, hold, sid = account.now(), account.model.hold, account.config.sid
        if self.target.kind == "queues":
            return Reply(200, queues_json(hold.all, self._query(), sid, now))
        queue = hold.by_sid(self.target.sid)
        if queue is None:
            raise errors.not_found(f"/Queues/{self.target.sid}.json")
        return Reply(200, members_json(queue, self._query(), sid, now))

    def _query(self) -> dict[str, str]:
        return dict(parse_qsl(self.query, keep_blank_values=True))

    def _create(self) -> Reply:
        account = self.account
        account.requests.creates += 1
        try:
            call = account.create(read_new_call(self.form))
        except QueueFullError:
            raise errors.queue_full() from None
        return Reply(201, call_json(call, account.config.sid, call.created_at))

    def _fetch(self, sid: str) -> Reply:
        account = self.account
        account.requests.fetches += 1
        now = account.now()
        call = account.model.calls.get(sid)
        if call is None:
            raise errors.not_found(f"/Calls/{sid}.json")
        return Reply(200, call_json(call, account.config.sid, now))

    def _update(self, sid: str, lost: bool) -> Reply:
        account = self.account
        account.requests.updates += 1
        now = account.now()
        call = account.model.calls.get(sid)
        before = None if call is None else str(call.status)
        try:
            if call is None:
                raise errors.not_found(f"/Calls/{sid}.json")
            account.update(call, read_update(self.form), now)
            reply = Reply(200, call_json(call, account.config.sid, now))
        except ApiError as error:
            reply = refusal(error)
        after = None if call is None else str(call.status)
        self._note(before, after, 0 if lost else reply.http, "lost_reply" if lost else None)
        return reply

    def _note_fault(self, fault: str, http: int) -> None:
        if (self.method, self.target.kind) == ("POST", "call"):
            self.account.requests.updates += 1
            self._note(None, None, http, fault)

    def _note(self, before: str | None, after: str | None, http: int, fault: str | None) -> None:
        status, log = self.form.get("Status"), self.account.updates
        log.add(
            UpdateRecord(
                number=log.last_number + 1,
                sid=self.target.sid,
                status_sent=status[0] if status else None,
                redirect="Url" in self.form or "Twiml" in self.form,
                previous_status=before,
                result_status=after,
                http=http,
                fault=fault,
                at=self.account.now(),
            )
        )


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
