"""What the processes that a benchmark has started have computed, by what they are."""

import os
from pathlib import Path

_KINDS = {"gunicorn": "web", "valkey": "valkey", "watcher": "watcher", "cancel-worker": "cancel worker"}
_SUPERVISOR = "supervisor"
_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds() -> dict[str, float]:
    """Return the processor time of all descendants of this process, and of those that they have waited for."""
    parents, used, lines = {}, {}, {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            lines[int(entry.name)] = (entry / "cmdline").read_text().split("\0")
        except OSError:  # it has ended
            continue
        parents[int(entry.name)] = int(fields[1])
        used[int(entry.name)] = sum(map(int, fields[11:15])) / _TICKS
    found: dict[str, float] = {}
    for pid in parents:
        if _descends(pid, parents) and (kind := _kind(lines[pid])):
            found[kind] = found.get(kind, 0.0) + used[pid]
    return found


def _descends(pid: int, parents: dict[int, int]) -> bool:
    while pid in parents:
        pid = parents[pid]
        if pid == os.getpid():
            return True
    return False


def _kind(words: list[str]) -> str | None:
    kind = next((kind for word, kind in _KINDS.items() if any(word in Path(w).name for w in words)), None)
    return kind or (_SUPERVISOR if "workers" in words else None)
