"""A thousand accounts on one machine: a scrape, a guard at rest, and runaways among them."""

import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from callguard.bootstrap import ConsoleParts
from callguard.domain.incidents import Incident
from callguard.domain.snapshot import State
from callguard.domain.tally import Outcome
from tests.benchmarks.guard_run import wait_at_most
from tests.benchmarks.process_cpu import cpu_seconds
from tests.benchmarks.twilio_process import Truth, TwilioProcess, twilio_process
from tests.stack import SID, TOKEN, Parts, free_port, guard_at

MANY, SOME = 1_000, 100
CALLS, CPS = 200, 1.0
POLL_SECONDS = 30
REST_SECONDS = 60.0
SCRAPES = 9
SILENT = 5
WANTED_SCRAPE_MS = {MANY: 500, SOME: 60}
WANTED_CORES = 0.2
WANTED_AFTER_POLL = 3.0
MAX_SECONDS = 240.0


@dataclass(frozen=True)
class _Many:
    """A guard of many accounts, and Twilio."""

    parts: Parts
    twilio: TwilioProcess
    port: int
    sids: Sequence[str]

    @property
    def services(self) -> ConsoleParts:
        return self.parts.services

    def incident(self, sid: str) -> Incident | None:
        """Return the open incident, or the last one."""
        return self.services.stores.incidents.current(sid) or next(
            iter(self.services.stores.incidents.recent(sid, 1)), None
        )


def measure() -> Iterator[str]:
    """Yield the lines of the report, as they come."""
    with _guarding(SOME) as some:
        yield _scrape(some)
    with _guarding(MANY) as many:
        yield _scrape(many)
        yield from _at_rest()
        yield _silent_runaways(many)
        yield from _runaways(many)


@contextmanager
def _guarding(count: int) -> Iterator[_Many]:
    """Run a guard of so many accounts, each of which has been polled."""
    sids = [SID, *(f"AC{number:032x}" for number in range(1, count))]
    with (
        TemporaryDirectory(prefix="callguard-accounts-") as folder,
        twilio_process(*sids, cps=CPS, latency=0.1, ceiling=100) as twilio,
    ):
        config, port = Path(folder) / "callguard.toml", free_port()
        config.write_text("".join(f'[[accounts]]\nsid = "{sid}"\nauth_token_env = "ALL"\n' for sid in sids[1:]))
        more = {"CALLGUARD_CONFIG": str(config), "ALL": TOKEN}
        policy = {"cps": CPS, "poll_seconds": POLL_SECONDS}
        with guard_at(twilio.url, Path(folder), port, policy, more=more) as parts:
            many = _Many(parts, twilio, port, sids)
            if not wait_at_most(120, lambda: _all_polled(many)):
                raise RuntimeError("not every account has been polled within two minutes")
            yield many


def _all_polled(many: _Many) -> bool:
    time.sleep(1)
    return all(shot.polled_ms for shot in many.services.stores.tracker.snapshots(many.sids, 0))


def _scrape(many: _Many) -> str:
    seconds, text = [], ""
    for _ in range(SCRAPES):
        started = time.perf_counter()
        with urllib.request.urlopen(f"http://127.0.0.1:{many.port}/metrics", timeout=30) as answer:
            text = answer.read().decode()
        seconds.append(time.perf_counter() - started)
    count = len(many.sids)
    return (
        f"/metrics with {count:5,} accounts: {median(seconds) * 1000:4.0f} ms (median of {SCRAPES}, most "
        f"{max(seconds) * 1000:.0f}), {text.count(many.sids[-1])} series each, {len(text) / 1e6:.1f} MB"
        f"  (wanted: {WANTED_SCRAPE_MS[count]} ms)"
    )


def _at_rest() -> Iterator[str]:
    """Measure what each process computes while nothing happens but polls."""
    before, started = cpu_seconds(), time.monotonic()
    time.sleep(REST_SECONDS)
    seconds, after = time.monotonic() - started, cpu_seconds()
    cores = {kind: (after[kind] - before[kind]) / seconds for kind in before}
    guarding = sum(cores[kind] for kind in ("supervisor", "watcher", "cancel worker"))
    parts = ", ".join(f"{kind} {used:.3f}" for kind, used in sorted(cores.items()))
    yield (
        f"at rest for {seconds:.0f} s, each polled every {POLL_SECONDS} s: workers and watcher use {guarding:.2f} "
        f"cores  (wanted: under {WANTED_CORES:g})"
    )
    yield f"  by process: {parts}"


def _silent_runaways(many: _Many) -> str:
    """Let one account after the other run away, without any callback."""
    delays = []
    for sid in many.sids[-SILENT:]:
        started = time.time()
        many.twilio.create(CALLS, sid)
        if not wait_at_most(POLL_SECONDS + 30, partial(_has_tripped, many, sid)):
            return f"a silent runaway in one of {len(many.sids):,} was not seen"
        incident = many.incident(sid)
        assert incident is not None
        delays.append(incident.tripped_ms / 1000 - started)
    return (
        f"a silent runaway in one of {len(many.sids):,}: tripped after "
        f"{', '.join(f'{delay:.1f}' for delay in delays)} s  (wanted: {POLL_SECONDS + WANTED_AFTER_POLL:g} s)"
    )


def _runaways(many: _Many) -> Iterator[str]:
    """Let many run away at once."""
    wild, started = many.sids[:SOME], time.time()
    for sid in wild:
        many.twilio.start(CALLS, sid)
    swept: dict[str, float] = {}

    def all_swept() -> bool:
        time.sleep(0.5)
        for sid in wild:
            if sid not in swept and (truth := many.twilio.truth(sid)).created >= CALLS and not truth.queued:
                swept[sid] = truth.at
        return len(swept) == len(wild)

    is_over = wait_at_most(MAX_SECONDS, all_swept)
    wait_at_most(30, lambda: all(_has_ended(many, sid) for sid in wild))
    incidents = {sid: incident for sid in wild if (incident := many.incident(sid)) is not None}
    truths = {sid: many.twilio.truth(sid) for sid in wild}
    waits = [swept[sid] - incident.tripped_ms / 1000 for sid, incident in incidents.items() if sid in swept]
    right = sum(_is_right(incident, truths[sid]) for sid, incident in incidents.items())
    yield (
        f"{SOME} accounts that run away at once, {CALLS} calls each: {len(incidents)} tripped, {len(swept)} swept"
        + (f" within {max(swept.values()) - started:.0f} s" if is_over else f" in {MAX_SECONDS:.0f} s")
    )
    dialled = sum(truth.dialled for truth in truths.values())
    cancelled = sum(truth.cancelled for truth in truths.values())
    yield (
        f"  from an account's trip until none was queued: median {median(waits):.1f} s, most {max(waits):.1f} s; "
        f"{cancelled:,} cancelled, {dialled:,} dialled; ledgers that are right: {right} of {SOME}"
    )


def _has_tripped(many: _Many, sid: str) -> bool:
    return many.incident(sid) is not None


def _has_ended(many: _Many, sid: str) -> bool:
    return many.services.stores.tracker.snapshot(sid, 0).state in (State.COOLING, State.ARMED)


def _is_right(incident: Incident, truth: Truth) -> bool:
    """Return whether the incident's counts add up, and are Twilio's."""
    outcomes = sum(incident.count(outcome) for outcome in Outcome)
    return (
        incident.count(Outcome.CANCELLED) == truth.cancelled
        and not truth.queued
        and outcomes + incident.remaining == incident.found
        and incident.found <= truth.created
    )
