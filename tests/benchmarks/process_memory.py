"""The peak memory of the processes that a benchmark has started, by what they are."""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

KINDS = {"gunicorn": "web", "watcher": "watcher", "cancel-worker": "cancel worker", "valkey": "valkey"}
WORK_HORSE = "work-horse"


@dataclass
class Peaks:
    """The highest VmHWM of any process of a kind, in MiB, and how many there were."""

    megabytes: dict[str, float] = field(default_factory=dict)
    pids: dict[str, set[int]] = field(default_factory=dict)

    def look(self) -> None:
        """Look at all descendants of this process. VmHWM is a peak itself, so that seldom is often enough."""
        for pid, (parent, words, peak) in _descendants().items():
            kind = _kind(words, parent)
            if kind is not None:
                self.megabytes[kind] = max(peak, self.megabytes.get(kind, 0.0))
                self.pids.setdefault(kind, set()).add(pid)


@contextmanager
def peaks_watched(every_seconds: float = 0.2) -> Iterator[Peaks]:
    """Watch from a thread while the context lasts: work-horses live for one job only."""
    peaks, over = Peaks(), threading.Event()

    def watch() -> None:
        while not over.wait(every_seconds):
            peaks.look()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peaks
    finally:
        over.set()
        thread.join()


Process = tuple[list[str], list[str], float]


def _kind(words: list[str], parent: list[str]) -> str | None:
    """A work-horse is a fork of its worker, so it bears the worker's name."""
    kind = next((kind for word, kind in KINDS.items() if any(word in Path(w).name for w in words)), None)
    return WORK_HORSE if kind == "cancel worker" and words == parent else kind


def _descendants() -> Mapping[int, Process]:
    """Return the parent's command line, the own command line and VmHWM (MiB) of each, by process id."""
    parents, lines, found = {}, {}, {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            status = (entry / "status").read_text()
            lines[int(entry.name)] = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # it has ended
        parents[int(entry.name)] = int(_field(status, "PPid"))
        found[int(entry.name)] = int(_field(status, "VmHWM") or 0) / 1024
    return {
        pid: (lines.get(parents[pid], []), lines[pid], peak)
        for pid, peak in found.items()
        if _descends(pid, parents)
    }


def _descends(pid: int, parents: Mapping[int, int]) -> bool:
    while pid in parents and pid != os.getpid():
        pid = parents[pid]
        if pid == os.getpid():
            return True
    return False


def _field(status: str, name: str) -> str:
    return next((line.split()[1] for line in status.splitlines() if line.startswith(f"{name}:")), "")
