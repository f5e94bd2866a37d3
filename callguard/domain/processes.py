"""The processes of the guard: whether they run the same version with the same settings, and what watchers hold."""

from collections.abc import Mapping
from dataclasses import dataclass

ALIVE_SECONDS = 30
"""Seconds of silence after which a process is no longer counted. The slowest give a sign every 5 s."""

VERSION, ACCOUNTS, POLICY = "version", "accounts", "policy"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a process was started with.

    Attributes:
        version: CallGuard's; empty for one that does not tell.
        settings: a digest of each part of the settings, keyed with the accounts' tokens.
    """

    version: str
    settings: Mapping[str, str]

    def differing(self, other: "Fingerprint") -> tuple[str, ...]:
        """Return the parts in which two differ.

        Digests of two versions, or keyed with other accounts, cannot be compared: then this alone is said.
        """
        if self.version != other.version:
            return (VERSION,)
        common = self.settings.keys() & other.settings.keys()
        names = sorted(name for name in common if self.settings[name] != other.settings[name])
        return (ACCOUNTS,) if ACCOUNTS in names else tuple(names)


@dataclass(frozen=True, slots=True)
class RunningProcess:
    """A living process.

    Attributes:
        kind: `web`, `watcher` or `cancel-worker`.
        host: the machine's name; empty for a process of a version that did not tell.
        pid: its number there; 0 likewise.
        fingerprint: what it was started with.
    """

    kind: str
    host: str
    pid: int
    fingerprint: Fingerprint


@dataclass(frozen=True, slots=True)
class HeldAccounts:
    """The accounts that a watcher has, and how many of them it should give back, as others have too few."""

    accounts: frozenset[str]
    surplus: int
