"""Starting a child program that cannot outlive us."""

import ctypes
import functools
import os
import signal
import stat
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from enum import Enum
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PRIVATE_FILE = 0o600
_HAS_DEATH_SIGNAL: bool = sys.platform == "linux"


class Output(Enum):
    """Where a child's stdout and stderr go, when it is not a file."""

    INHERIT = "inherit"
    PIPE = "pipe"


def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    output: Path | Output = Output.INHERIT,
    death_signal: signal.Signals = signal.SIGTERM,
    pass_fds: Sequence[int] = (),
    umask: int = -1,
) -> "subprocess.Popen[bytes]":
    """Start `argv` as a child that the kernel ends when we end, also after a `kill -9` of us.

    The child leads its own session, so Ctrl-C in our terminal does not reach it: ending it is our part
    (`ending.end`). It has no standard input.

    On Linux the kernel sends it `death_signal` when the *thread* that called this ends, which is why only the
    main thread may. A child that answers the signal slowly lives as long as its answer takes, and one that
    changes its user loses the promise. On macOS, which has no such signal, children survive our `kill -9`.

    Args:
        argv: the program and its arguments; no shell is involved.
        env: laid over our own environment.
        output: one place for stdout and stderr: a file that is appended to, our own, or `process.stdout`,
            which is the caller's to read and close.
        death_signal: what the kernel sends the child when we die: SIGTERM, or SIGKILL for one that dawdles.
        pass_fds: open file descriptors that the child shall have too.
        umask: of the child; -1 for our own.

    Raises:
        OSError: the program or its log file cannot be opened.
        RuntimeError: called outside the main thread on Linux.
    """
    if isinstance(output, Path):
        log = os.open(output, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _PRIVATE_FILE)
        with suppress(OSError):  # it is another user's, who lets us write
            if stat.S_ISREG(os.fstat(log).st_mode):
                os.fchmod(log, _PRIVATE_FILE)
        try:
            return _popen(argv, env, log, death_signal, pass_fds, umask)
        finally:
            os.close(log)
    stdout = subprocess.PIPE if output is Output.PIPE else None
    return _popen(argv, env, stdout, death_signal, pass_fds, umask)


def _popen(
    argv: Sequence[str],
    env: Mapping[str, str] | None,
    stdout: int | None,
    death_signal: signal.Signals,
    pass_fds: Sequence[int],
    umask: int,
) -> "subprocess.Popen[bytes]":
    tie_to_parent = _tie_to_parent(death_signal)
    with warnings.catch_warnings():
        # Python 3.12 and later warn of any fork beside other threads. What runs between our fork and the
        # exec takes no lock that another thread could hold.
        warnings.simplefilter("ignore", DeprecationWarning)
        return subprocess.Popen(
            list(argv),
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=None if stdout is None else subprocess.STDOUT,
            start_new_session=True,
            pass_fds=pass_fds,
            umask=umask,
            preexec_fn=tie_to_parent,  # noqa: PLW1509 -- see above
        )


def _tie_to_parent(death_signal: signal.Signals) -> Callable[[], None] | None:
    """What the child does between fork and exec. All that it needs is loaded here, before the fork."""
    if not _HAS_DEATH_SIGNAL:
        return None
    if threading.get_native_id() != os.getpid():
        raise RuntimeError("spawn children from the main thread: the kernel ends them with the thread that did")
    prctl, parent = _libc().prctl, os.getpid()

    def tie() -> None:
        if death_signal != signal.SIGKILL:
            # A handler of ours, kept until the exec, would swallow the signal of a parent dying just now.
            signal.signal(death_signal, signal.SIG_DFL)
        if prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(death_signal), 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
        if os.getppid() != parent:  # It died before the prctl; nobody would tell us any more.
            os._exit(1)

    return tie


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
