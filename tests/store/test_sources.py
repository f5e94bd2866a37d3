"""What the store keeps of calls beyond their phases: plateaus, repeats, senders, campaigns, horizons."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callguard.domain.calls import CallEvent, CallStatus
from callguard.domain.campaigns import Campaign
from callguard.domain.drain_time import Quote
from callguard.domain.policy import Mode, Policy
from callguard.domain.rates import Plateau
from callguard.domain.readings import Observation
from callguard.domain.replay import Replay
from callguard.domain.rules import STAND_BY, decide
from callguard.domain.snapshot import Repeats, Rule, Snapshot
from callguard.domain.sources import Source
from callguard.domain.tally import Outcome
from callguard.domain.throughput import Throughput
from callguard.store.snapshots import FIELDS
from tests.calls import call_sid, event, queued
from tests.conftest import ACCOUNT_SID, Store
from tests.examples import up_to
from tests.frozen_clock import FrozenClock
from tests.store.test_incidents import FINDING

POLICY = Policy(cps=5, spike_rate=1, repeat_limit=6, repeat_window_seconds=60, warn_share=0.5)
_fresh = itertools.count(1)


def known(observed: Observation) -> Snapshot:
    assert observed.snapshot is not None
    return observed.snapshot


def observe(store: Store, clock: FrozenClock, *events: CallEvent, source: Source = Source.REPORT) -> Snapshot:
    return known(store.tracker.observe(ACCOUNT_SID, events, POLICY, clock.ms, source))


def test_the_snapshot_after_news_is_the_one_that_is_read(store: Store, clock: FrozenClock) -> None:
    """Two lists of fields, in Lua and in Python, must have one order."""
    calls = [replace(queued(n, clock.ms), queue_ms=9_000, sender="s", destination="d") for n in range(9)]
    store.campaigns.announce(ACCOUNT_SID, campaign(clock))
    left = event(1, CallStatus.INITIATED, clock.ms), event(2, CallStatus.CANCELED, clock.ms)
    observe(store, clock, *calls, *left)
    store.tracker.polled(ACCOUNT_SID, POLICY, clock.ms, None, Throughput(1, 2, 3.0, 4.0), began_ms=clock.ms)

    read = store.tracker.snapshot(ACCOUNT_SID, clock.ms)

    assert observe(store, clock) == read
    assert read.throughput == Throughput(1, 2, 3.0, 4.0)
    assert len(FIELDS) == len(set(FIELDS))


@settings(max_examples=up_to(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(offsets=st.lists(st.integers(0, 60_000), min_size=1, max_size=60), cps=st.sampled_from([0.5, 1.0, 5.0]))
def test_the_script_draws_plateaus_as_the_domain_does(
    store: Store, clock: FrozenClock, offsets: list[int], cps: float
) -> None:
    account, model = f"AC{next(_fresh):032x}", Plateau()
    for number, offset in enumerate(offsets):
        at = clock.ms + offset
        news = [CallEvent(call_sid(number), CallStatus.INITIATED, at)]
        seen = known(store.tracker.observe(account, news, Policy(cps=cps), clock.ms, Source.CALLBACK)).plateau
        model = model.after(at, cps)

        assert (seen.since_ms, seen.at_ms) == (model.since_ms, model.at_ms)
        assert seen.deficit == pytest.approx(model.deficit, abs=1e-4)
        model = seen


@settings(max_examples=up_to(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=st.lists(st.tuples(st.integers(0, 30_000), st.sampled_from("ab")), min_size=1, max_size=40))
def test_the_script_and_a_replay_hold_the_same(
    store: Store, clock: FrozenClock, calls: list[tuple[int, str]]
) -> None:
    """The store's arithmetic and the one of backtests: buckets, horizon, depth, repeats."""
    account, replay, at = f"AC{next(_fresh):032x}", Replay(POLICY), clock.ms
    for number, (gap, destination) in enumerate(calls):
        at += gap
        news = [replace(queued(number, at), destination=destination)]
        seen = known(store.tracker.observe(account, news, POLICY, at, Source.REPORT))
        replay.entered((at,), at)
        replay.called(destination, at)
        model = replay.snapshot(at)

        assert seen.queued.level == pytest.approx(model.queued.level, abs=1e-3)
        assert seen.counted_ms == pytest.approx(model.counted_ms, abs=1)
        assert (seen.depth, seen.shallow_ms) == (model.depth, model.shallow_ms)
        if model.repeats.count >= POLICY.repeat_limit * POLICY.warn_share and model.repeats.at_ms == at:
            assert seen.repeats == model.repeats


def test_calls_to_one_telephone_are_counted_within_the_window(store: Store, clock: FrozenClock) -> None:
    for number in range(5):
        clock.pass_seconds(10)
        observe(store, clock, replace(queued(number, clock.ms), destination="jane"))
        observe(store, clock, replace(queued(100 + number, clock.ms), destination=f"other {number}"))
    counted = store.tracker.snapshot(ACCOUNT_SID, clock.ms).repeats
    assert counted == Repeats(5, clock.ms - 40_000, clock.ms)

    clock.pass_seconds(30)
    later = observe(store, clock, replace(queued(50, clock.ms), destination="jane"))
    assert later.repeats == Repeats(5, clock.ms - 60_000, clock.ms), "one of the six is older than the window"


def test_one_call_repeats_nothing_however_often_it_is_told_of(store: Store, clock: FrozenClock) -> None:
    call = replace(queued(1, clock.ms), destination="jane")
    for status in (CallStatus.QUEUED, CallStatus.INITIATED, CallStatus.RINGING) * 3:
        observe(store, clock, replace(call, status=status))

    assert store.tracker.snapshot(ACCOUNT_SID, clock.ms).repeats.count == 0


def test_the_number_that_carries_a_spike_is_named(store: Store, clock: FrozenClock) -> None:
    loud = [replace(queued(n, clock.ms), sender="loud", sender_shown="+1555***01") for n in range(90)]
    quiet = [replace(queued(n, clock.ms), sender=f"quiet {n}", sender_shown="+1555***02") for n in range(90, 100)]
    observe(store, clock, *loud, *quiet)

    (culprit,) = store.tracker.culprits(ACCOUNT_SID, Rule.SPIKE, POLICY, clock.ms)

    assert (culprit.sender, culprit.shown) == ("loud", "+1555***01")
    assert culprit.share == pytest.approx(0.9)
    assert store.tracker.culprits(ACCOUNT_SID, Rule.INITIATED, POLICY, clock.ms) == []


def test_numbers_that_are_quiet_again_are_forgotten(store: Store, clock: FrozenClock) -> None:
    observe(store, clock, replace(queued(1, clock.ms), sender="one"), replace(queued(2, clock.ms), sender="two"))
    clock.pass_seconds(0.5)
    observe(store, clock, replace(queued(3, clock.ms), sender="two"))
    clock.pass_seconds(0.6)

    store.tracker.prune_senders(ACCOUNT_SID, POLICY, clock.ms)

    clock.ms -= 600
    assert [c.sender for c in store.tracker.culprits(ACCOUNT_SID, Rule.SPIKE, POLICY, clock.ms)] == ["two"]


def campaign(clock: FrozenClock, calls: int = 3, sender: str = "") -> Campaign:
    return Campaign(f"{next(_fresh):08x}", calls, 0, sender, "+1555***01", clock.ms, clock.ms + 60_000, "a person")


def test_announced_calls_are_apart_from_all_others(store: Store, clock: FrozenClock) -> None:
    announced = campaign(clock, calls=3, sender="shop")
    store.campaigns.announce(ACCOUNT_SID, announced)
    calls = [replace(queued(n, clock.ms), sender="shop", destination="jane") for n in range(5)]
    others = [replace(queued(n, clock.ms), sender="else") for n in range(5, 7)]
    seen = observe(store, clock, *calls, *others)

    assert (seen.announced, seen.cancellable, seen.depth) == (3, 4, 7), "two more than were announced"
    assert seen.queued.level == 4
    assert seen.repeats.count == 0
    assert seen.counted_ms == pytest.approx(clock.ms + 7 * 200)
    assert seen.campaign_ms == clock.ms
    assert store.tracker.head(ACCOUNT_SID, 10) == [call_sid(n) for n in range(3, 7)]
    assert [c.came for c in store.campaigns.campaigns(ACCOUNT_SID)] == [3]

    dialled = observe(store, clock, *(event(n, CallStatus.INITIATED, clock.ms) for n in range(5)))
    assert (dialled.announced, dialled.cancellable) == (0, 2)
    assert dialled.initiated.level == 0, "a call stays announced to its end, and two waited behind it"


@settings(max_examples=up_to(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=st.lists(st.tuples(st.integers(0, 9_000), st.booleans()), min_size=1, max_size=60))
def test_the_script_and_a_replay_see_the_same_wake_of_a_campaign(
    store: Store, clock: FrozenClock, calls: list[tuple[int, bool]]
) -> None:
    account, replay, at = f"AC{next(_fresh):032x}", Replay(POLICY), clock.ms
    announced = replace(campaign(clock, calls=1000, sender="shop"), until_ms=clock.ms + 10_000_000)
    store.campaigns.announce(account, announced)
    for number, (gap, is_announced) in enumerate(calls):
        at += gap
        news = [replace(event(number, CallStatus.INITIATED, at), sender="shop" if is_announced else "")]
        seen = known(store.tracker.observe(account, news, POLICY, at, Source.CALLBACK))
        replay.dialled(at, announced=is_announced)
        model = replay.snapshot(at)

        assert seen.initiated.level == pytest.approx(model.initiated.level, abs=1e-3)
        assert (seen.plateau.since_ms, seen.plateau.at_ms) == (model.plateau.since_ms, model.plateau.at_ms)


def test_a_campaign_that_has_expired_takes_no_more_calls(store: Store, clock: FrozenClock) -> None:
    store.campaigns.announce(ACCOUNT_SID, campaign(clock))
    clock.pass_seconds(61)

    assert observe(store, clock, queued(1, clock.ms)).announced == 0


def test_a_campaign_is_ended_once_and_remembered(store: Store, clock: FrozenClock) -> None:
    first, second = campaign(clock), campaign(clock, sender="shop")
    for announced in (first, second, first):
        store.campaigns.announce(ACCOUNT_SID, announced)
    observe(store, clock, queued(1, clock.ms))

    ended = store.campaigns.end_campaign(ACCOUNT_SID, first.id, clock.ms)
    assert ended == replace(first, came=1, ended_ms=clock.ms)
    assert store.campaigns.end_campaign(ACCOUNT_SID, first.id, clock.ms + 1) == ended, "once, whoever repeats it"
    assert store.campaigns.end_campaign(ACCOUNT_SID, "nonsense", clock.ms) is None
    assert observe(store, clock, queued(2, clock.ms)).announced == 1, "the first's call; the second is another's"
    assert {c.id: bool(c.ended_ms) for c in store.campaigns.campaigns(ACCOUNT_SID)} == {
        first.id: True,
        second.id: False,
    }


def test_announced_calls_that_left_without_a_word_are_retired(store: Store, clock: FrozenClock) -> None:
    store.campaigns.announce(ACCOUNT_SID, campaign(clock))
    observe(store, clock, queued(1, clock.ms))
    assert store.tracker.mirrored_among(ACCOUNT_SID, [call_sid(1), call_sid(2)])[call_sid(1)].announced

    assert store.tracker.retire(ACCOUNT_SID, [call_sid(1)]) == 1
    back = observe(store, clock, queued(1, clock.ms), source=Source.POLL)
    assert (back.announced, back.departed) == (1, 0), "listed again: it is back where it was"


def test_the_quoted_horizon_knows_of_slots_that_were_taken_before(store: Store, clock: FrozenClock) -> None:
    """The first call we hear of expects to wait for 100 s: there is a queue that nobody told us of."""
    first = observe(store, clock, replace(queued(1, clock.ms), queue_ms=100_000))
    assert first.drain_seconds == pytest.approx(100.2)

    second = observe(store, clock, queued(2, clock.ms + 10))
    assert second.drain_seconds == pytest.approx(100.4), "one more slot for a call without a quote"

    late = observe(store, clock, replace(queued(3, clock.ms - 5_000), queue_ms=50_000))
    assert late.drain_seconds == pytest.approx(100.4), "an older call's quote is no news"


def test_a_list_holds_the_horizon_to_its_newest_quote(store: Store, clock: FrozenClock) -> None:
    observe(store, clock, *(queued(n, clock.ms + n) for n in range(10)))
    quote = Quote(call_sid(6), clock.ms + 60_000)

    store.tracker.quoted(ACCOUNT_SID, POLICY, clock.ms, quote)
    seen = store.tracker.snapshot(ACCOUNT_SID, clock.ms)
    assert seen.drain_seconds == pytest.approx(60 + 4 / 5), "its own slot, and three calls came after it"

    store.tracker.polled(ACCOUNT_SID, POLICY, clock.ms, None, Throughput(), began_ms=clock.ms, believe=False)
    seen = store.tracker.snapshot(ACCOUNT_SID, clock.ms)
    assert seen.quoted_ms == 0
    assert seen.drain_seconds == pytest.approx(10 / 5)


def test_cancelling_marks_dead_slots_up_to_the_horizon(store: Store, clock: FrozenClock) -> None:
    observe(store, clock, *(queued(n, clock.ms) for n in range(10)))
    seen = observe(store, clock, event(1, CallStatus.CANCELED, clock.ms), source=Source.CALLBACK)

    assert seen.dead_until_ms == pytest.approx(clock.ms + 2_000)
    assert seen.drain_seconds == pytest.approx(2.0), "cancelling does not shorten the wait"
    assert seen.phantom_slots(POLICY.cps) == 1


def test_a_learned_cps_moves_the_slots_that_were_counted(store: Store, clock: FrozenClock) -> None:
    observe(store, clock, *(queued(n, clock.ms) for n in range(100)))
    assert store.tracker.snapshot(ACCOUNT_SID, clock.ms).drain_seconds == pytest.approx(20)

    store.tracker.polled(ACCOUNT_SID, POLICY, clock.ms, None, Throughput(learned=10.0), began_ms=clock.ms)
    assert store.tracker.snapshot(ACCOUNT_SID, clock.ms).drain_seconds == pytest.approx(10)
    assert observe(store, clock, queued(100, clock.ms)).drain_seconds == pytest.approx(10.1)


def test_what_leaves_the_queue_is_counted_once_for_the_learned_cps(store: Store, clock: FrozenClock) -> None:
    observe(store, clock, *(queued(n, clock.ms) for n in range(4)))
    store.tracker.retire(ACCOUNT_SID, [call_sid(0)])
    for status in (CallStatus.INITIATED, CallStatus.RINGING):
        observe(store, clock, *(event(n, status, clock.ms) for n in range(3)))

    assert store.tracker.snapshot(ACCOUNT_SID, clock.ms).departed == 3


def test_one_process_at_a_time_reads_an_accounts_list(store: Store) -> None:
    assert store.poll_lease.take(ACCOUNT_SID, "one")
    assert store.poll_lease.take(ACCOUNT_SID, "one")
    assert not store.poll_lease.take(ACCOUNT_SID, "other")
    store.poll_lease.give_back(ACCOUNT_SID, "other")
    assert not store.poll_lease.take(ACCOUNT_SID, "other")
    store.poll_lease.give_back(ACCOUNT_SID, "one")
    assert store.poll_lease.take(ACCOUNT_SID, "other")


def test_a_numbers_own_campaign_comes_before_one_for_any_number(store: Store, clock: FrozenClock) -> None:
    everybody, shop = campaign(clock, calls=2), campaign(clock, calls=2, sender="shop")
    for announced in (everybody, shop):
        store.campaigns.announce(ACCOUNT_SID, announced)

    calls = [replace(queued(n, clock.ms), sender="shop" if n < 2 else "else") for n in range(4)]
    assert observe(store, clock, *calls).announced == 4


def test_calls_created_before_the_end_belong_to_the_campaign_whenever_they_are_heard_of(
    store: Store, clock: FrozenClock
) -> None:
    store.campaigns.announce(ACCOUNT_SID, campaign(clock))
    created = clock.ms + 59_000
    clock.pass_seconds(65)

    assert observe(store, clock, queued(1, created), source=Source.POLL).announced == 1


def test_calls_that_end_after_an_announcement_do_not_use_it_up(store: Store, clock: FrozenClock) -> None:
    store.campaigns.announce(ACCOUNT_SID, campaign(clock))
    observe(store, clock, *(event(n, CallStatus.COMPLETED, clock.ms) for n in range(3)))

    assert observe(store, clock, queued(9, clock.ms)).announced == 1


def test_a_campaign_whose_calls_have_all_come_and_gone_excuses_nothing(store: Store, clock: FrozenClock) -> None:
    store.campaigns.announce(ACCOUNT_SID, campaign(clock, calls=1))
    observe(store, clock, queued(1, clock.ms))
    observe(store, clock, event(1, CallStatus.INITIATED, clock.ms))
    clock.pass_seconds(1)

    assert not observe(store, clock, queued(2, clock.ms)).is_behind_campaign


def release(store: Store, clock: FrozenClock) -> int:
    """Release the only campaign."""
    (known,) = store.campaigns.campaigns(ACCOUNT_SID)
    calls = store.campaigns.calls_of(ACCOUNT_SID, known.id)
    return store.campaigns.release(ACCOUNT_SID, known.id, calls.own, clock.ms)


def test_only_a_campaigns_own_calls_are_released(store: Store, clock: FrozenClock) -> None:
    shop, sales, anybody = "0abcdef0" * 4, "fedcba98" * 4, "12345678" * 4
    senders = {0: shop, 1: shop, 2: sales, 3: anybody, 4: "", 5: anybody}
    for announced in (campaign(clock), campaign(clock, sender=shop), campaign(clock, sender=sales)):
        store.campaigns.announce(ACCOUNT_SID, announced)
    observe(store, clock, *(replace(queued(n, clock.ms), sender=sender) for n, sender in senders.items()))
    found = {
        known.sender: store.campaigns.calls_of(ACCOUNT_SID, known.id)
        for known in store.campaigns.campaigns(ACCOUNT_SID)
    }

    assert {sender: set(calls.own) for sender, calls in found.items()} == {
        shop: {call_sid(0), call_sid(1)}, sales: {call_sid(2)}, "": {call_sid(n) for n in (3, 4, 5)},
    }  # fmt: skip
    assert not any(calls.shared for calls in found.values())
    any_number = next(known for known in store.campaigns.campaigns(ACCOUNT_SID) if not known.sender)
    assert store.campaigns.release(ACCOUNT_SID, any_number.id, found[""].own, clock.ms) == 3
    assert sorted(store.tracker.head(ACCOUNT_SID, 10)) == sorted(found[""].own)
    assert store.tracker.snapshot(ACCOUNT_SID, clock.ms).announced == 3
    assert store.campaigns.calls_of(ACCOUNT_SID, any_number.id).own == ()


def test_many_calls_are_released_in_parts(store: Store, clock: FrozenClock) -> None:
    store.campaigns.announce(ACCOUNT_SID, campaign(clock, calls=600))
    observe(store, clock, *(queued(n, clock.ms) for n in range(600)))

    assert release(store, clock) == 600
    assert store.tracker.snapshot(ACCOUNT_SID, clock.ms).announced == 0


def test_who_is_protected_stays_so_when_a_campaign_is_released(store: Store, clock: FrozenClock) -> None:
    """A call to an emergency number is never cancelled, and an announced one does not become any other."""
    store.campaigns.announce(ACCOUNT_SID, campaign(clock))
    emergency = replace(queued(1, clock.ms), protected=True, surely_protected=True)
    unknown = replace(queued(2, clock.ms), protected=True)
    observe(store, clock, emergency, unknown, queued(3, clock.ms))

    release(store, clock)

    assert store.tracker.mirrored(ACCOUNT_SID)[emergency.call_sid].protected
    assert emergency.call_sid not in store.tracker.head(ACCOUNT_SID, 10)
    assert store.tracker.snapshot(ACCOUNT_SID, clock.ms).protected == 1


def test_released_calls_count_in_an_incident_as_any_other(store: Store, clock: FrozenClock) -> None:
    store.campaigns.announce(ACCOUNT_SID, campaign(clock))
    observe(store, clock, queued(1, clock.ms), queued(2, clock.ms))
    assert release(store, clock) == 2
    store.incidents.trip(ACCOUNT_SID, 0, FINDING, Mode.ENFORCE, clock.ms)
    observe(store, clock, event(1, CallStatus.INITIATED, clock.ms))

    incident = store.incidents.current(ACCOUNT_SID)
    assert incident is not None
    assert (incident.count(Outcome.DIALLED), incident.remaining, incident.found) == (1, 1, 2)


def test_a_doubtful_call_counts_as_entered_but_proves_no_backlog(store: Store, clock: FrozenClock) -> None:
    old = replace(queued(1, clock.ms - 40_000), queue_ms=5_000)
    seen = observe(store, clock, old)
    assert (seen.depth, seen.queued.level) == (0, 1)

    assert observe(store, clock, old, source=Source.POLL).depth == 1, "a list that shows it proves it"
    waiting = replace(queued(2, clock.ms - 40_000), queue_ms=100_000)
    assert observe(store, clock, waiting).depth == 2


def test_calls_that_somebody_cancelled_are_no_work_of_the_dialler(store: Store, clock: FrozenClock) -> None:
    observe(store, clock, *(queued(n, clock.ms) for n in range(10)))

    store.tracker.retire(ACCOUNT_SID, [call_sid(8), call_sid(9)], were_dialled=False)

    seen = store.tracker.snapshot(ACCOUNT_SID, clock.ms)
    assert (seen.depth, seen.departed) == (8, 0)
    assert seen.dead_until_ms == pytest.approx(clock.ms + 2_000)
    assert seen.drain_seconds == pytest.approx(2.0)


def test_no_wait_at_all_is_not_believed_of_a_call_behind_others(store: Store, clock: FrozenClock) -> None:
    observe(store, clock, *(replace(queued(n, clock.ms), queue_ms=0) for n in range(100)))

    assert store.tracker.snapshot(ACCOUNT_SID, clock.ms).drain_seconds > 15


def test_the_oldest_call_of_the_mirror(store: Store, clock: FrozenClock) -> None:
    assert store.tracker.oldest_ms(ACCOUNT_SID) is None
    observe(store, clock, queued(1, clock.ms - 5), queued(2, clock.ms - 9, protected=True))

    assert store.tracker.oldest_ms(ACCOUNT_SID) == clock.ms - 9


@settings(max_examples=up_to(80), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    calls=st.lists(
        st.tuples(st.integers(0, 4_000), st.sampled_from("qi"), st.sampled_from("ab")), min_size=1, max_size=40
    )
)
def test_whatever_may_be_crossed_is_shown_to_the_rules(
    store: Store, clock: FrozenClock, calls: list[tuple[int, str, str]]
) -> None:
    """The script leaves out snapshots that nobody needs to look at, and never one that somebody does."""
    policy = replace(
        POLICY, spike_burst=6, initiated_burst=4, plateau_seconds=10, max_backlog=12, max_drain_seconds=10,
        min_backlog=2, cps=1,
    )  # fmt: skip
    account, at = f"AC{next(_fresh):032x}", clock.ms
    for number, (gap, kind, destination) in enumerate(calls):
        at += gap
        status = CallStatus.QUEUED if kind == "q" else CallStatus.INITIATED
        news = [replace(event(number, status, at), destination=destination)]
        shown = store.tracker.observe(account, news, policy, at, Source.CALLBACK, if_crossed=True).snapshot
        whole = store.tracker.snapshot(account, at)

        assert shown is None or shown == whole
        assert shown is not None or decide(whole, policy) == STAND_BY
