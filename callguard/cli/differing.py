"""Which processes run something else than this command reads."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from callguard.bootstrap import ConsoleParts
from callguard.cli.connect import NO_PUBLIC_URL
from callguard.domain.processes import ACCOUNTS, POLICY, VERSION, Fingerprint, RunningProcess

_WORDS = {ACCOUNTS: "accounts or tokens", POLICY: "policy"}
_RESTART = (
    "restart the workers first, then the web server (`callguard up` is both); or give this command the settings "
    "that the guard has"
)


@dataclass(frozen=True, slots=True)
class Differing:
    """What the processes differ in from this command's settings and version.

    Attributes:
        texts: a line for each place.
        is_bad: the processes differ from each other, or their policy or accounts are not those read here.
    """

    texts: tuple[str, ...]
    is_bad: bool


def differing(parts: ConsoleParts, running: Sequence[RunningProcess]) -> Differing:
    """Compare the living processes with this command's settings, and with one another."""
    ours = _known(parts)
    others = [(process, places) for process in running if (places := ours.differing(process.fingerprint))]
    agree = len({_comparable(process.fingerprint) for process in running}) <= 1
    if agree and others:
        process, places = others[0]
        texts: tuple[str, ...] = (f"the guard runs with {_named(places, process)}: {_RESTART}",)
    else:
        texts = tuple(_places(others))
    return Differing(texts, not agree or any({ACCOUNTS, POLICY} & {*places} for _, places in others))


def _known(parts: ConsoleParts) -> Fingerprint:
    """Our fingerprint, without the parts that are not set here and need not be."""
    ours = parts.fingerprint()
    if parts.settings.public_url != NO_PUBLIC_URL:
        return ours
    return replace(ours, settings={k: v for k, v in ours.settings.items() if k != "public_url"})


def _comparable(fingerprint: Fingerprint) -> tuple[object, ...]:
    return fingerprint.version, *sorted(fingerprint.settings.items())


def _places(others: Sequence[tuple[RunningProcess, tuple[str, ...]]]) -> Iterator[str]:
    for (where, what), group in groupby(others, key=lambda other: (_where(other[0]), _named(other[1], other[0]))):
        pids = ", ".join(str(process.pid) for process, _ in group if process.pid)
        yield f"{where}{f' (process {pids})' if pids else ''} runs with {what}: {_RESTART}"


def _where(process: RunningProcess) -> str:
    return f"{process.kind} on {process.host}" if process.host else process.kind


def _named(parts: Sequence[str], process: RunningProcess) -> str:
    if VERSION in parts:
        version = process.fingerprint.version
        return f"CallGuard {version}" if version else "an older CallGuard"
    return f"other settings than are read here ({', '.join(_WORDS.get(part, part) for part in parts)})"
