"""Cancels that Twilio refuses: for one call, for a while, or with our credentials."""

import pytest

from callguard.cancel import backlog
from callguard.cancel.incident_drain import DrainEnd
from callguard.domain.notices import NoticeKind
from callguard.domain.replies import CancelReply
from callguard.domain.tally import Outcome
from callguard.errors import TwilioRefused
from tests.cancel.intercepted import intercepted, run_to_the_end
from tests.guarded import SID, guarded, trip_at


def test_one_call_that_twilio_always_refuses_does_not_keep_the_drain_going(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "INITIAL_PAUSE_SECONDS", 0.01)
    with guarded(redis_url, trip_at(cps=1)) as g:
        g.queue_calls(40)
        g.trip()
        poison = g.store.tracker.head(SID, 40)[-1]

        def refuse(call_sid: str, _turn: int) -> CancelReply | None:
            if call_sid == poison:
                raise TwilioRefused("Twilio answered 400, code 21218", 21218, 400)
            return None

        drain, telephony = intercepted(g, on_cancel=refuse)

        assert run_to_the_end(drain, g) is DrainEnd.FINISHED
        incident = g.store.incidents.current(SID)
        assert incident is not None
        assert incident.count(Outcome.FAILED) == 1
        assert telephony.turns[poison] == backlog.MAX_ATTEMPTS
        assert g.truth().queued == 1


def test_one_call_that_is_denied_does_not_stop_the_others(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "INITIAL_PAUSE_SECONDS", 0.01)
    with guarded(redis_url, trip_at(cps=0.1)) as g:  # so that it is not dialled meanwhile
        g.queue_calls(60)
        g.trip()
        (poison,) = g.store.tracker.head(SID, 1)

        def deny(call_sid: str, _turn: int) -> CancelReply | None:
            if call_sid == poison:
                raise TwilioRefused("Twilio answered 403, code 20003", 20003, 403)
            return None

        drain, _ = intercepted(g, on_cancel=deny)

        assert run_to_the_end(drain, g) is DrainEnd.FINISHED
        incident = g.store.incidents.current(SID)
        assert incident is not None
        assert incident.count(Outcome.FAILED) == 1
        assert incident.count(Outcome.CANCELLED) == g.truth().cancelled


def test_what_twilio_itself_has_not_refused_is_tried_again(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy's 404 or 408 has no Twilio code, and says nothing of the call."""
    monkeypatch.setattr(backlog, "INITIAL_PAUSE_SECONDS", 0.01)

    def weather(_sid: str, turn: int) -> CancelReply | None:
        if turn <= 3:
            raise TwilioRefused("Twilio answered 408, code 0", 0, 408)
        return None

    with guarded(redis_url, trip_at(cps=1)) as g:
        g.queue_calls(40)
        g.trip()
        drain, _ = intercepted(g, on_cancel=weather)

        assert run_to_the_end(drain, g) is DrainEnd.FINISHED
        incident = g.store.incidents.current(SID)
        assert incident is not None
        assert incident.count(Outcome.FAILED) == 0
        assert g.truth().queued == 0


def test_a_token_that_is_revoked_in_mid_sweep_is_told_and_its_return_too(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(backlog, "INITIAL_PAUSE_SECONDS", 0.01)
    with guarded(redis_url, trip_at(cps=1)) as g:
        g.queue_calls(90)
        g.trip()
        is_revoked = False

        def deny(_sid: str, _turn: int) -> CancelReply | None:
            nonlocal is_revoked
            if is_revoked or len(g.twilio.updates(SID)) >= 20:
                is_revoked = True
                raise TwilioRefused("Twilio answered 401, code 20003", 20003, 401)
            return None

        drain, interception = intercepted(g, on_cancel=deny)
        for _ in range(3):
            assert drain.run(g.account, 1, "me") is DrainEnd.STOPPED

        denied = [notice for notice in g.notices.posted if notice.kind is NoticeKind.DENIED]
        assert {notice.text.partition(".")[0] for notice in denied} == {
            "Twilio refuses our credentials (401 or 403) for cancelling"
        }
        assert len({g.notices.names[g.notices.posted.index(notice)] for notice in denied}) == 1
        interception.on_cancel = lambda _sid, _turn: None
        assert run_to_the_end(drain, g) is DrainEnd.FINISHED

        kinds = [notice.kind for notice in g.notices.posted]
        assert kinds[-2:] == [NoticeKind.DENIED, NoticeKind.DONE]
        assert "Twilio accepts our credentials again" in g.notices.posted[-2].text
        incident = g.store.incidents.current(SID)
        assert incident is not None
        assert incident.tally.summary() in g.notices.posted[-1].text
