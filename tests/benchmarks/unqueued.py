"""A runaway without a queue: how soon people hear of it, and how soon the gate shuts."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from twilio.rest import Client

from callguard.client import CallsBlocked, GuardedHttpClient
from callguard.simulator import AccountConfig, RunawayPlan, SimulatorConfig, StatusCallback
from callguard.simulator.calls import CallEvent
from callguard.web.api.account_views import gate_of
from tests.notify.test_apprise import Hook, hook_at
from tests.stack import SID, TOKEN, Stack, free_port, stack
from tests.waiting import wait_until

CPS = 30
CALLS, RATE = 900, 20
SLOW_CALLS, SLOW_RATE = 300, 10
REPEAT_LIMIT = 20
ONE = "+15550001111"


@dataclass
class Scene:
    """A guard on an account at 30 CPS, a receiver of its notices, and when things happened (monotonic seconds)."""

    guard: Stack
    hook: Hook
    policy: dict[str, object]
    dialled: list[float] = field(default_factory=list)

    @property
    def notices(self) -> list[str]:
        """The trips that the receiver has been told of."""
        return [body["message"] for body in self.hook.bodies() if "tripped" in body["title"].lower()]

    @property
    def gate_is_open(self) -> bool:
        """What a client is answered."""
        services = self.guard.services
        return gate_of(
            services.stores.tracker.snapshot(SID, services.clock.now_ms()), services.accounts[SID].policy
        ).allowed

    def run_away(self, calls: int, rate: float, to: str | None) -> float:
        """Begin a runaway whose calls have all four callbacks; return when."""
        url = f"http://127.0.0.1:{self.guard.port}/twilio/status"
        callback = StatusCallback(url, events=frozenset(CallEvent))
        self.guard.twilio.start_runaway(SID, RunawayPlan(calls, rate, to=to, callback=callback))
        return time.monotonic()


@contextmanager
def scene(**policy: object) -> Iterator[Scene]:
    """Run everything."""
    keys = {"CALLGUARD_API_KEY": "a:reporter:a-reporters-key-0123456789"}
    simulated = SimulatorConfig(accounts=(AccountConfig(cps=CPS, latency=0.1),))
    with hook_at() as hook:
        environ = {**keys, "CALLGUARD_NOTIFY_URLS": hook.url.replace("http", "json", 1)}
        settings: dict[str, object] = {"cps": CPS, **policy}
        with stack(simulated, settings, port=free_port(), environ=environ) as guard:
            wait_until(lambda: guard.stores.tracker.snapshot(SID, 0).polled_ms, "the first poll", timeout=20)
            yield Scene(guard, hook, settings)


def client_of(guard: Stack) -> Client:
    """The caller's program, with our client."""
    guarded = GuardedHttpClient(
        f"http://127.0.0.1:{guard.port}", api_key="a-reporters-key-0123456789", gate_timeout=5.0
    )
    client = Client(SID, TOKEN, http_client=guarded)
    client.api.base_url = guard.twilio.url
    return client


def create_for(client: Client, seconds: float, rate: float) -> tuple[int, int]:
    """Try to create calls to one number; return how many were created and how many refused."""
    created = refused = 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with suppress(CallsBlocked):
            refused += 1
            client.calls.create(to=ONE, from_="+15550009999", twiml="<Response/>")
            created, refused = created + 1, refused - 1
        time.sleep(1 / rate)
    return created, refused


def measure() -> list[str]:
    """Return the lines of the report."""
    with scene() as told:
        began = told.run_away(CALLS, RATE, ONE)
        crossed = began + REPEAT_LIMIT / RATE
        wait_until(lambda: told.notices, "people are told", timeout=20)
        one = time.monotonic() - crossed
    with scene(unqueued="block") as blocked:
        stop = threading.Event()
        shut: list[float] = []

        def watch() -> None:
            while not stop.is_set() and not shut:
                if not blocked.gate_is_open:
                    shut.append(time.monotonic())
                time.sleep(0.01)

        began = blocked.run_away(CALLS, RATE, ONE)
        watcher = threading.Thread(target=watch)
        watcher.start()
        wait_until(lambda: shut, "the gate shuts", timeout=20)
        stop.set()
        watcher.join()
        gate = shut[0] - began - REPEAT_LIMIT / RATE
        created, refused = create_for(client_of(blocked.guard), 3, RATE)
    with scene() as slow:
        began = slow.run_away(SLOW_CALLS, SLOW_RATE, None)
        wait_until(lambda: slow.guard.stores.incidents.current(SID), "an incident", timeout=40)
        many = time.monotonic() - began
    return [
        f"{CALLS} calls to one destination at {RATE}/s on {CPS} CPS:",
        f"  told {one:.2f} s after the rule is crossed (wanted: 3)",
        f'the same with unqueued = "block": the gate is shut {gate:.2f} s after it (wanted: 1); then our client',
        f"  creates {created} calls and is refused {refused} (wanted: 0 created)",
        f"{SLOW_RATE}/s to many destinations, default thresholds: an incident after {many:.1f} s (wanted: 30)",
    ]
