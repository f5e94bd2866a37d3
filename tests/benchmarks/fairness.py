"""A small account beside a great one: how long its calls wait for the sweep."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.guard_run import GuardRun, guard_run, wait_at_most
from tests.benchmarks.twilio_process import TwilioProcess, twilio_process, watched
from tests.stack import SID as GREAT
from tests.stack import TOKEN
from tests.waiting import wait_until

OTHER_GREAT, SMALL = "AC" + "a" * 32, "AC" + "b" * 32
GREAT_CALLS, SMALL_CALLS = 10_000, 10
CPS = 0.2  # slow, so that the calls of the small account wait for the sweep, not for the dialler
MAX_SECONDS = 70.0
WANTED_SECONDS = 5.0


def measure() -> Iterator[str]:
    """Yield the lines of the report, as they come."""
    yield f"{GREAT_CALLS:,} calls queued in each great account, which is swept; a small one queues {SMALL_CALLS}"
    for cancel_workers, great in ((2, [GREAT]), (2, [GREAT, OTHER_GREAT]), (1, [GREAT])):
        yield f"  {cancel_workers} cancel workers, {len(great)} great: {_with(cancel_workers, great)}"
    yield f"  (wanted: {WANTED_SECONDS:g} s)"


def _with(cancel_workers: int, great: Sequence[str]) -> str:
    with TemporaryDirectory(prefix="callguard-fairness-") as folder:
        more = {
            "CALLGUARD_CONFIG": str(_settings(Path(folder))),
            "TOKEN_OF_ALL": TOKEN,
            "CALLGUARD_CANCEL_WORKERS": str(cancel_workers),
        }
        with (
            twilio_process(GREAT, OTHER_GREAT, SMALL, cps=CPS, latency=0.1, ceiling=100) as twilio,
            guard_run(twilio, more, cps=CPS, poll_seconds=1) as guard,
        ):
            return _race(twilio, guard, great)


def _settings(folder: Path) -> Path:
    """Let ten calls trip the small account."""
    path = folder / "callguard.toml"
    path.write_text(f"""\
[[accounts]]
sid = "{OTHER_GREAT}"
auth_token_env = "TOKEN_OF_ALL"

[[accounts]]
sid = "{SMALL}"
auth_token_env = "TOKEN_OF_ALL"
min_backlog = 5
spike_burst = 5
""")
    return path


def _race(twilio: TwilioProcess, guard: GuardRun, great: Sequence[str]) -> str:
    for sid in great:
        twilio.create(GREAT_CALLS, sid)
    for sid in great:
        guard.wait_for_trip(sid)
        wait_until(lambda sid=sid: twilio.truth(sid).cancelled > 100, "the sweep is on", timeout=60)  # type: ignore[misc]
    with watched(twilio, SMALL, hertz=20) as seen:
        twilio.create(SMALL_CALLS, SMALL)
        tripped = guard.wait_for_trip(SMALL).tripped_ms / 1000
        is_over = wait_at_most(MAX_SECONDS, lambda: seen.samples[-1].queued == 0)
        left = [f"{twilio.truth(sid).queued:,}" for sid in great]
    end, before = seen.samples[-1], seen.at(tripped)
    over = "" if is_over else f", {end.queued} still queued"
    return (
        f"{end.at - tripped:.1f} s from its trip until none was queued{over}; {end.cancelled} cancelled,"
        f" {end.dialled - before.dialled} dialled meanwhile; then {' and '.join(left)} were left of the great"
    )
