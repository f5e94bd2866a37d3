"""A thousand accounts on one machine: a scrape, a guard at rest, and runaways among them."""

import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from callguard.bootstrap import Services
from tests.benchmarks.twilio_process import TwilioProcess, twilio_process
from tests.stack import TOKEN, Parts, free_port, guard_at
from tests.waiting import wait_until

MANY, SOME = 1_000, 100
CALLS, CPS = 200, 1.0
POLL_SECONDS = 30
REST_SECONDS = 60.0
SCRAPES = 9
WANTED_SCRAPE = {MANY: 0.5, SOME: 0.06}
WANTED_CORES = 0.2
WANTED_AFTER_POLL = 3.0
MOST_SECONDS = 240.0


def measure() -> Iterator[str]:
    """Yield the lines of the report, as they come."""
    with _guarding(SOME) as (parts, _, sids):
        yield _scrape(parts, sids)
    with _guarding(MANY) as (parts, twilio, sids):
        yield _scrape(parts, sids)
        yield from _at_rest(parts)
        yield _silent_runaway(parts, twilio, sids[MANY // 2])
        yield from _runaways(parts, twilio, sids[:SOME])


@contextmanager
def _guarding(count: int) -> Iterator[tuple[Parts, TwilioProcess, Sequence[str]]]:
    """Run a guard of so many accounts, each of which has been polled."""
    sids = [f"AC{number:032x}" for number in range(count)]
    with (
        TemporaryDirectory(prefix="callguard-accounts-") as folder,
        twilio_process(*sids, cps=CPS, latency=0.1) as twilio,
    ):
        config = Path(folder) / "callguard.toml"
        config.write_text("".join(f'[[accounts]]\nsid = "{sid}"\nauth_token_env = "TOKEN"\n' for sid in sids))
        more = {"CALLGUARD_CONFIG": str(config), "TOKEN": TOKEN, "TWILIO_ACCOUNT_SID": "", "TWILIO_AUTH_TOKEN": ""}
        with guard_at(
            twilio.url, Path(folder), free_port(), {"cps": CPS, "poll_seconds": POLL_SECONDS}, more=more
        ) as parts:
            wait_until(
                lambda: _unpolled(parts.services, sids) == 0, "each account is polled", timeout=120, interval=1
            )
            yield parts, twilio, sids


def _unpolled(services: Services, sids: Sequence[str]) -> int:
    return sum(not shot.polled_ms for shot in services.tracker.snapshots(sids, 0))


def _scrape(parts: Parts, sids: Sequence[str]) -> str:
    port = int(parts.web.environ["CALLGUARD_BIND"].rpartition(":")[2])
    seconds, text = [], b""
    for _ in range(SCRAPES):
        started = time.perf_counter()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            text = answer.read()
        seconds.append(time.perf_counter() - started)
    series = sum(sids[0] in line for line in text.decode().splitlines())
    return (
        f"/metrics with {len(sids):5,} accounts:  {median(seconds) * 1000:5.0f} ms (median of {SCRAPES}), "
        f"{len(text) / 1e6:.1f} MB, {series} series a calm account  (wanted: {WANTED_SCRAPE[len(sids)] * 1000:.0f} ms)"
    )


def _at_rest(parts: Parts) -> Iterator[str]:
    """Measure what each process computes while nothing happens but polls."""
    assert parts.workers is not None
    before, started = _cpu(parts), time.monotonic()
    time.sleep(REST_SECONDS)
    seconds, after = time.monotonic() - started, _cpu(parts)
    cores = {name: (after[name] - before[name]) / seconds for name in before}
    yield (
        f"at rest, polled every {POLL_SECONDS} s: workers and watcher {cores['workers']:.2f} cores"
        f"  (wanted: under {WANTED_CORES:g})"
    )
    yield f"  beside them: web {cores['web']:.2f}, Valkey {cores['valkey']:.2f}; over {seconds:.0f} s"
