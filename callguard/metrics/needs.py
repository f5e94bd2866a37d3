"""The Protocols of what the collector reads."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from callguard.domain.policy import Policy
from callguard.domain.processes import RunningProcess
from callguard.domain.readings import AccountReading, OutboxFacts


class ApiRefusals(Protocol):
    """How many requests to the API were refused, by reason. Both methods may raise `StoreUnavailable`."""

    def totals(self) -> Mapping[str, int]:
        """Return how many there were."""


class JobCounts(Protocol):
    """The jobs that wait, run and have failed."""

    def counts(self) -> Mapping[str, int]:
        """Return jobs by state: `queued`, `started`, `failed`."""


class OutboxReadings(Protocol):
    """What is shown of the outbox."""

    def facts(self) -> OutboxFacts:
        """Read it. May raise `StoreUnavailable`."""


class Presence(Protocol):
    """The living processes, and what each reports of itself."""

    def prove_writable(self) -> None:
        """Write something; raise `StoreUnavailable` where a callback could not be written either."""

    def ages(self, now_ms: int) -> Mapping[str, float]:
        """Return the seconds since each process' last beat."""

    def processes(self, now_ms: int) -> Sequence[RunningProcess]:
        """Return the processes that live."""


class Readings(Protocol):
    """What is shown to people and to Prometheus."""

    def read_each(self, policies: Mapping[str, Policy], now_ms: int) -> Mapping[str, AccountReading]:
        """Read each account of `policies`, all in a few round trips."""
