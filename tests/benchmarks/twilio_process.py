"""A simulated Twilio in a process of its own, so that it shares no interpreter lock with what is measured."""

import json
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.stack import SID, TOKEN, Part, answers, free_port
from tests.waiting import wait_until


@dataclass(frozen=True)
class Truth:
    """One account at one moment, `at` in Unix seconds. `served` counts all requests that were let in and done."""

    at: float
    created: int
    queued: int
    dialled: int
    cancelled: int
    in_flight: int
    most_at_once: int
    served: int
    throttled: int


@dataclass(frozen=True)
class TwilioProcess:
    """The simulator's own surface, asked from outside. Accounts are named by SID."""

    url: str

    def truth(self, sid: str = SID) -> Truth:
        """Return what is the case now."""
        told = self._ask("GET", sid)
        requests = told["requests"]
        return Truth(
            at=time.time(),
            created=told["created"],
            queued=told["queued"],
            dialled=told["dialled"],
            cancelled=told["cancelled"],
            in_flight=told["in_flight"],
            most_at_once=told["max_concurrent"],
            served=sum(requests[kind] for kind in ("creates", "updates", "lists", "fetches")),
            throttled=requests["throttled"],
        )

    def create(self, calls: int, sid: str = SID, **plan: object) -> None:
        """Let a script create calls at once, and return when it has."""
        wanted = self.truth(sid).created + calls
        self.start(calls, sid, **plan)
        wait_until(lambda: self.truth(sid).created >= wanted, f"{calls} calls are created", timeout=60)

    def start(self, calls: int, sid: str = SID, **plan: object) -> None:
        """Let a script begin to create calls."""
        self._ask("POST", f"{sid}/runaway", {"calls": calls, **plan})

    def change(self, sid: str = SID, **changes: object) -> None:
        """Turn knobs of an account, named as the simulator's own surface names them."""
        self._ask("PATCH", sid, changes)

    def hung_up(self, sid: str = SID) -> int:
        """Return how many calls in progress an update has ended: people who were talking."""
        updates = self._ask("GET", f"{sid}/log")["updates"]
        return sum(u["previous_status"] == "in-progress" and u["result_status"] == "completed" for u in updates)

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        url = f"{self.url}/simulator/accounts/{path}"
        request = urllib.request.Request(url, data, method=method)  # noqa: S310  (our own address)
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.load(answer)


@contextmanager
def twilio_process(*sids: str, **options: object) -> Iterator[TwilioProcess]:
    """Run `callguard simulate`; options are those of its command line, all accounts are alike."""
    port = free_port()
    argv = [sys.executable, "-m", "callguard", "simulate", "--port", str(port), "--auth-token", TOKEN]
    argv += [word for sid in sids or (SID,) for word in ("--account", sid)]
    argv += [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    with (
        TemporaryDirectory(prefix="callguard-twilio-") as folder,
        Part(argv, {}, Path(folder) / "twilio.log"),
    ):
        wait_until(lambda: answers(port, "/simulator/accounts"), "the simulated Twilio answers", timeout=30)
        yield TwilioProcess(f"http://127.0.0.1:{port}")


@dataclass
class Watched:
    """An account's truth, sampled several times a second."""

    samples: list[Truth] = field(default_factory=list)

    def at(self, moment: float) -> Truth:
        """Return the last sample that is not after a moment; the first if all are."""
        before = [sample for sample in self.samples if sample.at <= moment]
        return before[-1] if before else self.samples[0]

    def between(self, first: float, last: float) -> Sequence[Truth]:
        """Return the samples of a span of time."""
        return [sample for sample in self.samples if first <= sample.at <= last]

    def first(self, when: Callable[[Truth], bool]) -> Truth | None:
        """Return the first sample of which something is true."""
        return next((sample for sample in self.samples if when(sample)), None)


@contextmanager
def watched(twilio: TwilioProcess, sid: str = SID, *, hertz: float = 10.0) -> Iterator[Watched]:
    """Sample an account's truth from a thread while the context lasts."""
    seen, over = Watched([twilio.truth(sid)]), threading.Event()

    def sample() -> None:
        while not over.wait(1 / hertz):
            seen.samples.append(twilio.truth(sid))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
