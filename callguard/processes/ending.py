"""Ending a child from `spawn`, with whatever it has started itself in its session."""

import logging
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

_LOOK_SECONDS = 0.01
_MAX_LOOKS = 100

logger = logging.getLogger(__name__)


def reap(process: "subprocess.Popen[bytes]") -> int | None:
    """Return the exit code of a child that has ended (minus the signal's number), None for one that runs.

    What an ended child has left behind in its session, such as the workers of a killed gunicorn, is killed
    first. (Elsewhere than on Linux: in its process group only.)
    """
    if process.returncode is not None:
        return process.returncode
    if not _has_ended(process):
        return None
    _kill_session(process.pid)
    return process.wait()


def send(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    """Signal a child, if it still runs. Its session's other members get nothing."""
    # Not `process.send_signal`: that would reap the child, and its session's number with it.
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)


def end(process: "subprocess.Popen[bytes]", grace_seconds: float) -> int:
    """SIGTERM, and SIGKILL once `grace_seconds` have passed. Return the exit code; harmless when repeated."""
    try:
        send(process, signal.SIGTERM)
        deadline = time.monotonic() + grace_seconds
        while reap(process) is None and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
    finally:
        code = kill(process)
    return code


def kill(process: "subprocess.Popen[bytes]") -> int:
    """SIGKILL, and wait. Return the exit code, which is the child's own if it had ended already."""
    send(process, signal.SIGKILL)
    while (code := reap(process)) is None:
        time.sleep(_LOOK_SECONDS)
    return code


def _has_ended(process: "subprocess.Popen[bytes]") -> bool:
    if sys.platform == "linux":
        # WNOWAIT leaves the child unreaped: until we reap it, no other process can get its number.
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    else:  # noqa: RET505 -- mypy wants to see the other platforms' branch
        return process.poll() is not None


def _kill_session(session: int) -> None:
    with suppress(ProcessLookupError, PermissionError):  # macOS: EPERM where only zombies are left.
        os.killpg(session, signal.SIGKILL)
    # Members may sit in groups of their own (RQ's work-horses do) or be forking: look until none is left.
    for _ in range(_MAX_LOOKS):
        members = _session_members(session)
        if not members:
            return
        for pid in members:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_LOOK_SECONDS)
    # Killed, but stuck in the kernel (a dead disk): they end when that returns. We do not wait for it.
    logger.warning("processes %s of session %d do not end", members, session)


def _session_members(session: int) -> list[int]:
    """The living processes of a session, but not its leader. Empty where there is no /proc."""
    members = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # "pid (name) state parent group session ...", where the name may hold blanks and brackets.
            state, _, _, its_session = stat.read_text(errors="replace").rpartition(")")[2].split()[:4]
        except (OSError, ValueError):  # It has just ended.
            continue
        pid = int(stat.parent.name)
        if int(its_session) == session and pid != session and state not in "ZX":
            members.append(pid)
    return members
