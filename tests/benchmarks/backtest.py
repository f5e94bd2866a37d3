"""A history of 1,000,000 calls, read from CSV and replayed, by the command itself."""

import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from array import array
from datetime import UTC, datetime
from pathlib import Path

CALLS, CPS, WANTED_SECONDS = 1_000_000, 5.0, 60
BEGIN = 1_790_000_000
_RATES = ("--set", f"spike_rate={CPS:g}", "--set", f"initiated_rate={CPS:g}")


def measure() -> list[str]:
    """Return the lines of the report."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "calls.csv")
        write_log(path, CALLS)
        begin = time.monotonic()
        argv = (sys.executable, "-m", "callguard", "backtest", str(path), "--cps", str(CPS), *_RATES)
        ended = subprocess.run(argv, env=_environ(), capture_output=True, text=True, check=True)
        seconds = time.monotonic() - begin
        size = path.stat().st_size / 1e6
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return [
        f"{CALLS:,} calls, {size:.0f} MB of CSV, newest first, {CPS:g} CPS:",
        f"  {seconds:.1f} s (wanted: under {WANTED_SECONDS}), of which {used.ru_utime:.1f} s on a processor;"
        f" {used.ru_maxrss / 1024:.0f} MB of memory at the most",
        *(f"  {line}" for line in ended.stdout.splitlines() if " trips:" in line or "erified" in line),
    ]


def write_log(path: Path, calls: int) -> None:
    """Write a log as Twilio exports it, the newest call first: days near the account's CPS, and ten runaways."""
    luck, at, dialler = random.Random(1), float(BEGIN), 0.0
    created, dialled = array("d"), array("d")
    for number in range(calls):
        runaway = number % 100_000 < 3_000
        at += luck.expovariate(200.0 if runaway else CPS * 0.8)
        dialler = max(dialler, at) + 1 / CPS
        created.append(at)
        dialled.append(dialler - 1 / CPS)
    with path.open("w") as log:
        log.write(
            "Call SID,Account SID,Status,Direction,From,To,Date Created,Start Time,End Time,Duration,Queue Time\n"
        )
        log.writelines(_line(luck, created[n], dialled[n]) for n in reversed(range(calls)))


def _line(luck: random.Random, created: float, dialled: float) -> str:
    to, talk = f"+1555{luck.randrange(10_000_000):07d}", luck.randrange(5, 120)
    times = ",".join(_written(moment) for moment in (created, dialled, dialled + talk))
    waited = int((dialled - created) * 1000)
    parties = f"completed,outbound-api,+15550100001,{to}"
    return f"CA{luck.getrandbits(128):032x},AC{1:032x},{parties},{times},{talk},{waited}\n"


def _written(moment: float) -> str:
    return f"{datetime.fromtimestamp(int(moment), UTC):%Y-%m-%d %H:%M:%S}"


def _environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("TWILIO_", "CALLGUARD_"))}
