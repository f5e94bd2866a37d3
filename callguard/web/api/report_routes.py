"""`POST /api/reports`: created calls, from the programs that create them."""

from collections.abc import Iterable, Mapping
from typing import Any

from flask import Response, request

from callguard.clock import Clock
from callguard.config.accounts import Account
from callguard.domain.calls import CallEvent
from callguard.domain.results import ReportResult, ReportSource
from callguard.errors import StoreUnavailable
from callguard.web.api.error_answers import BASE_PATH, Problem, Refused
from callguard.web.api.json_bodies import BadBody, checked, read_json
from callguard.web.api.reported_calls import CreatedCalls, ReportedCall, ReportOutcome
from callguard.web.api.routes import Route, answer
from callguard.web.spaced_warning import SpacedWarning
from callguard.web.uncounted import ReportTaker, UncountedResults

SOURCE = ReportSource.CLIENT
MAX_BODY_BYTES = 1024 * 1024


class ReportRoutes:
    """Takes one batch after the other: parse, hand on, answer. A batch is counted whole or not at all."""

    def __init__(self, accounts: Mapping[str, Account], reports: ReportTaker, clock: Clock) -> None:
        """Count and warn for this process."""
        self._accounts = accounts
        self._reports = reports
        self._clock = clock
        self._uncounted = UncountedResults(lambda sid, result: reports.refuse(sid, SOURCE, ReportResult(result)))
        self._unavailable = SpacedWarning(
            "Redis did not answer, so a report of created calls was answered 503; account SID ends in %s",
            clock,
        )

    def take(self) -> Response:
        """Answer a batch."""
        body, now_ms = read_json(request, MAX_BODY_BYTES), self._clock.now_ms()
        try:
            batch = checked(CreatedCalls, body, now_ms)
            calls = [(index, call) for index, call in enumerate(batch.calls) if call.is_counted]
            self._refuse_unknown_accounts(calls)
        except (BadBody, Refused) as refused:
            for sid in _accounts_in(body) & self._accounts.keys():  # nothing else becomes a label
                self._uncounted.remember(sid, ReportResult.MALFORMED)
            self._uncounted.count_some()
            if isinstance(refused, Refused):
                raise
            message = "nothing was counted, since some of the calls are wrong; errors says which"
            raise Refused(400, "bad_reports", message, refused.problems) from None
        outcome = self._hand_on(self._events([call for _, call in calls], now_ms))
        return answer(outcome.model_copy(update={"ignored": len(batch.calls) - len(calls)}))

    def _refuse_unknown_accounts(self, calls: Iterable[tuple[int, ReportedCall]]) -> None:
        unknown = [
            Problem(
                index=index, field="account_sid", message="should be an account that the guard is configured for"
            )
            for index, call in calls
            if call.account_sid not in self._accounts
        ]
        if unknown:
            message = "nothing was counted, since an account is not configured; errors says where"
            raise Refused(404, "unknown_account", message, unknown)

    def _events(self, calls: Iterable[ReportedCall], now_ms: int) -> dict[str, list[CallEvent]]:
        """Return the news by account, in order of time."""
        by_account: dict[str, list[CallEvent]] = {}
        for call in calls:
            hasher = self._accounts[call.account_sid].hasher
            by_account.setdefault(call.account_sid, []).append(call.event(hasher, now_ms))
        for events in by_account.values():
            events.sort(key=lambda event: event.at_ms)
        return by_account

    def _hand_on(self, by_account: dict[str, list[CallEvent]]) -> ReportOutcome:
        counted = 0
        waiting = list(by_account)
        try:
            while waiting:
                sid = waiting[0]
                counted += self._reports.take(self._accounts[sid], by_account[sid], SOURCE)
                waiting.pop(0)
        except StoreUnavailable:
            # Calls that other accounts have counted are duplicates when the batch is sent again.
            for sid in waiting:
                self._uncounted.remember(sid, ReportResult.UNAVAILABLE)
            self._unavailable.due(waiting[0][-4:])
            raise
        self._uncounted.count_some()
        return ReportOutcome(counted=counted, duplicates=sum(map(len, by_account.values())) - counted)


def _accounts_in(body: Any) -> set[str]:
    calls = body.get("calls") if isinstance(body, dict) else None
    entries = [entry for entry in calls if isinstance(entry, dict)] if isinstance(calls, list) else []
    return {sid for entry in entries if isinstance(sid := entry.get("account_sid"), str)}


def reports(routes: ReportRoutes) -> list[Route]:
    """Return the route for reports."""
    return [
        Route(
            name="report_calls",
            method="POST",
            path=f"{BASE_PATH}/reports",
            tag="reports",
            summary="Report created calls, as Twilio answered. May be sent again: none counts twice.",
            view=routes.take,
            reply=ReportOutcome,
            body=CreatedCalls,
            refusals=(400, 404, 413, 415),
            for_reporters=True,
        )
    ]
