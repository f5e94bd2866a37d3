"""A stand-in for Twilio's calls API, with its rate queue, its limits, its callbacks and its faults.

The sandbox, the drill, the tests and the benchmarks run against it. It knows nothing of the guard.
"""

from callguard.simulator.calls import CallEvent, CallStatus, StatusCallback
from callguard.simulator.config import (
    SANDBOX_ACCOUNT_SID,
    SANDBOX_AUTH_TOKEN,
    AccountConfig,
    Behaviour,
    EventSink,
    ListOrder,
    SharedKey,
    SimulatorConfig,
)
from callguard.simulator.faults import Faults
from callguard.simulator.runaway import RunawayPlan
from callguard.simulator.running import RunningSimulator, running
from callguard.simulator.server import Simulator
from callguard.simulator.truth import AccountTruth, UpdateRecord

__all__ = [
    "SimulatorConfig",
    "AccountConfig",
    "Behaviour",
    "EventSink",
    "Faults",
    "ListOrder",
    "SharedKey",
    "SANDBOX_ACCOUNT_SID",
    "SANDBOX_AUTH_TOKEN",
    "Simulator",
    "running",
    "RunningSimulator",
    "RunawayPlan",
    "StatusCallback",
    "CallEvent",
    "CallStatus",
    "AccountTruth",
    "UpdateRecord",
]
