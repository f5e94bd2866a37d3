"""What a queue of 24 hours at 1 CPS costs in memory: the mirror in Redis, and every process of the guard."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from redis import Redis

from tests.benchmarks.guard_run import GuardRun, guard_run, wait_at_most
from tests.benchmarks.process_memory import Peaks, peaks_watched
from tests.benchmarks.twilio_process import TwilioProcess, twilio_process
from tests.stack import SID

CALLS, CPS, DESTINATIONS = 86_400, 1, 1_000
MIRROR_SECONDS, SWEEP_SECONDS = 60.0, 30.0
WANTED_PROCESS_MB, WANTED_MIRROR_MB = 300, 30
SCAN = 1000


def measure() -> Iterator[str]:
    """Yield the lines of the report, as they come."""
    yield f"{CALLS:,} queued calls, heard of through Twilio's list alone, then swept for {SWEEP_SECONDS:g} s"
    yield from _with("each call to another destination", lambda twilio: twilio.create(CALLS - 10))
    yield ""
    yield from _with(f"{DESTINATIONS:,} destinations", _to_few)
    yield f"(wanted: the mirror under {WANTED_MIRROR_MB} MiB, every process under {WANTED_PROCESS_MB} MiB)"


def _to_few(twilio: TwilioProcess) -> None:
    for number in range(DESTINATIONS):
        twilio.create((CALLS - 10) // DESTINATIONS, to=f"+1555{2_000_000 + number:07d}")


@dataclass(frozen=True)
class _Weight:
    """What Redis holds: all it uses, its tables, and by kind of key the keys, their bytes and their names."""

    used: int
    tables: int
    keys: Mapping[str, int]
    bytes: Mapping[str, int]
    names: Mapping[str, int]


def _with(name: str, create: Callable[[TwilioProcess], None]) -> Iterator[str]:
    with (
        twilio_process(cps=CPS, latency=0.05, ceiling=100) as twilio,
        guard_run(twilio, cps=CPS, poll_seconds=1) as guard,
        peaks_watched() as peaks,
    ):
        incidents, clock = guard.services.stores.incidents, guard.services.clock
        incidents.pause(SID, "the mirror is weighed before the sweep", clock.now_ms())
        before = _weigh(guard)
        create(twilio)
        wanted = twilio.truth().queued - 100
        is_whole = wait_at_most(
            MIRROR_SECONDS, lambda: guard.services.stores.tracker.snapshot(SID, 0).depth >= wanted
        )
        depth, mirror = guard.services.stores.tracker.snapshot(SID, 0).depth, _weigh(guard)
        incidents.resume(SID)
        guard.wait_for_trip()
        wait_at_most(SWEEP_SECONDS, lambda: twilio.truth().queued == 0)
        cancelled, after = twilio.truth().cancelled, _weigh(guard)
        peaks.look()
    yield f"{name}: {depth:,} calls in the mirror{'' if is_whole else ', not all that are queued'}"
    yield from _redis_lines(before, mirror, depth)
    yield (
        f"  after {cancelled:,} cancels: {_mb(after.used - before.used):.1f} MiB, of which the ledger"
        f" {_mb(after.bytes.get('ledger', 0)):.1f} MiB"
    )
    yield from _process_lines(peaks)


def _weigh(guard: GuardRun) -> _Weight:
    redis: Redis = guard.services.stores.connection
    keys: dict[str, int] = defaultdict(int)
    weights: dict[str, int] = defaultdict(int)
    lengths: dict[str, int] = defaultdict(int)
    info: Any = redis.info("memory")
    stats: Any = redis.memory_stats()
    for names in _all_keys(redis):
        with redis.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.memory_usage(name, samples=0)
            for name, weight in zip(names, pipe.execute(), strict=True):
                keys[_kind(name)] += 1
                weights[_kind(name)] += weight or 0
                lengths[_kind(name)] += len(name)
    return _Weight(info["used_memory"], stats.get("overhead.db.hashtable.lut", 0), keys, weights, lengths)


def _all_keys(redis: Redis) -> Iterator[list[str]]:
    cursor = 0
    while True:
        reply: Any = redis.scan(cursor, count=SCAN)
        cursor, names = reply
        if names:
            yield names
        if cursor == 0:
            return


def _kind(name: str) -> str:
    found = re.fullmatch(r"callguard:\{AC[0-9a-f]{32}\}:([a-z]+)(:.*)?", name)
    if found is None:
        return "others"
    return f"{found[1]}:*" if found[2] else found[1]


def _redis_lines(before: _Weight, after: _Weight, calls: int) -> Iterator[str]:
    grown = after.used - before.used
    yield f"  Redis: {_mb(grown):.1f} MiB for the mirror, {grown / max(1, calls):.0f} bytes a call"
    more = {kind: weight - before.bytes.get(kind, 0) for kind, weight in after.bytes.items()}
    for kind, weight in sorted(more.items(), key=lambda item: -item[1]):
        if weight > 50_000:
            yield f"    {kind:<12} {after.keys[kind]:>7,} keys {_mb(weight):>6.1f} MiB{_each(after, kind)}"
    tables = after.tables - before.tables
    yield f"    {'tables':<12} {'':>12} {_mb(tables):>6.1f} MiB  (where each key is found, and each that expires)"
    yield f"    {'the rest':<12} {'':>12} {_mb(grown - sum(more.values()) - tables):>6.1f} MiB  (buffers)"


def _each(weight: _Weight, kind: str) -> str:
    count = weight.keys[kind]
    if count == 1:
        return ""
    return f"  ({weight.bytes[kind] / count:.0f} bytes each, {weight.names[kind] / count:.0f} of them its name)"


def _process_lines(peaks: Peaks) -> Iterator[str]:
    listed = [f"{kind} {peak:.0f}" for kind, peak in sorted(peaks.megabytes.items())]
    yield f"  peak memory of the largest process of each kind, in MiB: {', '.join(listed)}"


def _mb(size: float) -> float:
    return size / 1024 / 1024
