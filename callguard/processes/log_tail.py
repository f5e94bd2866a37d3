"""A child's last words."""

from pathlib import Path

_READ_BYTES = 8192


def last_lines(log: Path | None, count: int = 10) -> str:
    """Return the last lines of a log, or a remark that there are none. Never fails: errors quote it."""
    if log is None:
        return "(it has no log file)"
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _READ_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError as error:
        return f"(its log cannot be read: {error})"
    return "\n".join(lines[-count:]) or f"({log} is empty)"
