"""An account as the server keeps it: the pure model, its clock, and what an operator may change live."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

from callguard.simulator.account import Account
from callguard.simulator.callbacks import Callbacks
from callguard.simulator.calls import Call, CallStatus, NewCall
from callguard.simulator.config import AccountConfig
from callguard.simulator.delivery import Delivery
from callguard.simulator.event_stream import EventStream
from callguard.simulator.faults import Dice
from callguard.simulator.redirects import Redirects
from callguard.simulator.runaway import Runaway
from callguard.simulator.truth import AccountTruth, CallbackTruth, RequestCounts, UpdateLog
from callguard.simulator.updates import Update, apply_update


def steady_clock() -> Callable[[], float]:
    """A clock of unix seconds that never jumps, whatever happens to the machine's time."""
    offset = time.time() - time.monotonic()
    return lambda: offset + time.monotonic()


_KNOBS = ("cps", "latency", "ceiling", "others")


class HostedAccount:
    """One account of a running simulator. Must be used on the simulator's event loop only."""

    def __init__(self, config: AccountConfig, seed: int, delivery: Delivery) -> None:
        self.config = config
        self.latency = config.latency
        self.ceiling = config.ceiling
        self.others = config.others
        self.dice = Dice(config.faults, f"{seed} {config.sid} faults")
        self.callbacks = Callbacks(config, self.dice, delivery)
        sink = config.event_sink
        self.events = None if sink is None else EventStream(config, sink, self.dice, delivery)
        self.model = Account(
            config,
            f"{seed} {config.sid} calls",
            self.callbacks.offer,
            None if self.events is None else self.events.progressed,
        )
        self.requests = RequestCounts()
        self.updates = UpdateLog()
        self.in_flight = 0
        self.max_concurrent = 0
        self.runaway = Runaway(self.create)
        self._clock = steady_clock()
        self._redirects = Redirects(config, self.model, delivery, self.now)
        self._dialler = DialClock(self._clock, self.model)

    def now(self) -> float:
        """The time, in unix seconds, with everything done that was due by then."""
        now = self._clock()
        self.model.advance(now)
        return now

    def create(self, order: NewCall) -> Call:
        """Queue a call now. Raises `QueueFullError`."""
        call = self.model.create(order, self.now())
        if self.events is not None:
            self.events.created(call)
        self._dialler.arm()
        return call

    def update(self, call: Call, update: Update, now: float) -> None:
        """Change a call; a redirected one goes on with what its TwiML says. Raises `ApiError` 400/21220."""
        apply_update(self.model, call, update, now)
        if update.status is not None:
            return
        if update.url:
            self._redirects.follow(call, update.url, update.method)
        else:
            self._redirects.act(call, update.document)

    def put_on_hold(self, call_sid: str, queue: str) -> None:
        """Put a call in progress into a hold queue, as `<Enqueue>` would. Raises `ValueError` for any other."""
        now = self.now()
        call = self.model.calls.get(call_sid)
        if call is None or call.status is not CallStatus.IN_PROGRESS:
            raise ValueError(f"{call_sid} is not in progress")
        if not self.model.hold.put(call, queue, now):
            raise ValueError(f"{queue} is full")

    def change(self, changes: Mapping[str, Any]) -> None:
        """Change `cps`, `latency`, `ceiling`, `others` and `faults` (a mapping of rates), all or nothing.

        Raises `ValueError` for values and `TypeError` for names or types that make no sense.
        """
        known = {name: value for name, value in changes.items() if name in _KNOBS}
        checked = replace(self.config, **known)
        faults = replace(self.dice.faults, **changes.get("faults", {}))
        if unknown := changes.keys() - known.keys() - {"faults"}:
            raise TypeError(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(_KNOBS)}, faults")
        self.dice.faults = faults
        self.latency = checked.latency if "latency" in known else self.latency
        self.ceiling = checked.ceiling if "ceiling" in known else self.ceiling
        self.others = checked.others if "others" in known else self.others
        if "cps" in known:
            self.model.queue.change_rate(checked.cps, self.now())
            self._dialler.arm()

    @property
    def concurrent(self) -> int:
        """How many REST requests are under way, those of other programs too."""
        return self.in_flight + self.others

    def truth(self) -> AccountTruth:
        """Return the account's present state."""
        now, model = self.now(), self.model
        return AccountTruth(
            sid=self.config.sid,
            cps=model.queue.cps,
            latency=self.latency,
            ceiling=self.ceiling,
            queued=model.counts[CallStatus.QUEUED],
            phantom_slots=model.phantom_slots(),
            drain_seconds=model.drain_seconds(now),
            created=model.created,
            dialled=model.dialled,
            cancelled=model.counts[CallStatus.CANCELED],
            statuses={str(status): model.counts[status] for status in CallStatus},
            requests=replace(self.requests),
            in_flight=self.in_flight,
            max_concurrent=self.max_concurrent,
            callbacks=CallbackTruth(**asdict(self.callbacks.counts)),
            runaway=self.runaway.truth(),
            on_hold={queue.name: len(queue.members) for queue in model.hold.all},
            events=None if self.events is None else CallbackTruth(**asdict(self.events.counts)),
        )

    def stop(self) -> None:
        """Stop the clock, the runaway and the events."""
        if self.events is not None:
            self.events.stop()
        self._dialler.stop()
        self.runaway.stop()


# Things due sooner are done together: 200 wake-ups a second at most, and dialling exact to 5 ms.
_MIN_NAP_SECONDS = 0.005


class DialClock:
    """A timer for the account's next event. Needs a running event loop once `arm` is called."""

    def __init__(self, clock: Callable[[], float], account: Account) -> None:
        self._clock = clock
        self._account = account
        self._timer: asyncio.TimerHandle | None = None
        self._wakes_at = float("inf")
        self._stopped = False

    def arm(self) -> None:
        """Make sure to wake when the next thing is due. Cheap when nothing is earlier than before."""
        due = self._account.next_due()
        if due is None or due >= self._wakes_at or self._stopped:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._wakes_at = due
        delay = max(due - self._clock(), _MIN_NAP_SECONDS)
        self._timer = asyncio.get_running_loop().call_later(delay, self._wake)

    def stop(self) -> None:
        """Never wake again."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()

    def _wake(self) -> None:
        self._timer, self._wakes_at = None, float("inf")
        self._account.advance(self._clock())
        self.arm()
