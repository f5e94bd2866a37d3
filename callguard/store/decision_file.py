"""The file of decisions in the data directory: it outlives every process, and an emptied Redis."""

import fcntl
import json
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from callguard.domain.decisions import Announced, Decided, merged

_log = logging.getLogger(__name__)

NAME = "decisions.json"
VERSION = 1


DOUBT_MS = 24 * 3_600_000
"""Milliseconds after an unreadable file for which accounts missing in the file after it are in doubt."""


class UnreadableMemory(Exception):
    """The file is there and cannot be read."""


class NewerMemory(UnreadableMemory):
    """A newer version has written the file, and alone may write it."""


@dataclass(frozen=True, slots=True)
class _Parsed:
    """What the file held when it was last read, that file's version, and when an earlier one was unreadable."""

    version: tuple[int, int] = (0, 0)
    accounts: dict[str, Any] = field(default_factory=dict)
    unreadable_ms: int = 0


class DecisionFile:
    """One file for all accounts, readable for its owner only. It holds no secret, and numbers masked or hashed."""

    def __init__(self, folder: Path) -> None:
        """Nothing is read or made yet."""
        self.path = folder / NAME
        self._told = False
        self._parsed = _Parsed()

    def read(self, account_sid: str) -> Decided | None:
        """Return what the file holds of an account; None if nothing.

        Raises:
            UnreadableMemory: the file may hold something of the account, and cannot be read.
        """
        held = self._read().get(account_sid)
        if held is None and time.time() * 1000 - self._parsed.unreadable_ms < DOUBT_MS:
            raise UnreadableMemory(f"{self.path} could not be read lately")
        return _decided(held, self.path) if held is not None else None

    def changed_ns(self) -> int:
        """Return a mark that changes whenever the file does; 0 if there is none."""
        try:
            return self.path.stat().st_mtime_ns
        except OSError:
            return 0

    def add(self, account_sid: str, decided: Decided) -> bool:
        """Add it to what the file holds; False (logged once) if the folder cannot be written."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._locked():
                self._add(account_sid, decided)
        except NewerMemory as error:
            self._tell(str(error))
            return False
        except OSError as error:
            self._tell(f"what people decide cannot be kept in {self.path} ({error.strerror})")
            return False
        return True

    def _tell(self, problem: str) -> None:
        if not self._told:
            _log.warning(
                "%s: set CALLGUARD_DATA_DIR to a folder that can be written, so that it outlives an emptied Redis",
                problem,
            )
        self._told = True

    def _add(self, account_sid: str, decided: Decided) -> None:
        try:
            accounts = self._read()
            unreadable_ms = self._parsed.unreadable_ms if accounts else 0
            known = accounts.get(account_sid)
            whole = merged(_decided(known, self.path), decided) if known is not None else decided
        except NewerMemory:
            raise
        except UnreadableMemory:
            # The lost file may have held other accounts: their doubt must not end with the new file.
            accounts, whole, unreadable_ms = {}, decided, round(time.time() * 1000)
        if accounts.get(account_sid) != (entry := asdict(whole)):
            self._write({**accounts, account_sid: entry}, unreadable_ms)

    def _read(self) -> dict[str, Any]:
        try:
            found = self.path.stat()
            if found.st_mode & 0o077:  # restored by hand, or written by an older version
                with suppress(OSError):
                    self.path.chmod(0o600)
            version = (found.st_mtime_ns, found.st_ino)
            if version == self._parsed.version:
                return self._parsed.accounts
            held = json.loads(self.path.read_text("utf-8"))
            if held["version"] > VERSION:
                raise NewerMemory(f"{self.path} was written by a newer version of CallGuard")
            self._parsed = _Parsed(version, dict(held["accounts"]), int(held.get("unreadable_ms", 0)))
            return self._parsed.accounts
        except FileNotFoundError:
            self._parsed = _Parsed()
            return {}
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise UnreadableMemory(f"{self.path} cannot be read ({type(error).__name__})") from error

    def _write(self, accounts: dict[str, Any], unreadable_ms: int) -> None:
        folder = self.path.parent
        descriptor, name = tempfile.mkstemp(dir=folder, prefix=f".{NAME}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump({"version": VERSION, "accounts": accounts, "unreadable_ms": unreadable_ms}, file)
                file.flush()
                os.fsync(file.fileno())
            if os.geteuid() == 0:  # root pauses, and the guard, which is not root, must still read it
                owner = folder.stat()
                os.chown(name, owner.st_uid, owner.st_gid)
            Path(name).replace(self.path)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other processes from writing, by a lock on the folder itself: no lock file is left behind."""
        descriptor = os.open(self.path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _decided(held: Any, path: Path) -> Decided:
    try:
        campaigns = {name: Announced(**campaign) for name, campaign in held["campaigns"].items()}
        return Decided(**{**held, "campaigns": campaigns})
    except (KeyError, TypeError, AttributeError) as error:
        raise UnreadableMemory(f"{path} cannot be read ({type(error).__name__})") from error
