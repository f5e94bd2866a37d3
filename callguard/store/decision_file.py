"""The memory of decisions in the data directory: it outlives every process, and an emptied Redis."""

import fcntl
import json
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from callguard.domain.decisions import Announced, Decided, merged

_log = logging.getLogger(__name__)

NAME = "decisions.json"
VERSION = 1


class UnreadableMemory(Exception):
    """There is a memory, and it cannot be read."""


class DecisionFile:
    """One file for all accounts, readable for its owner only. It holds no secret, and numbers masked or hashed."""

    def __init__(self, folder: Path) -> None:
        """Nothing is read or made yet."""
        self.path = folder / NAME
        self._told = False
        self._parsed: tuple[tuple[int, int], dict[str, Any]] = ((0, 0), {})

    def read(self, account_sid: str) -> Decided | None:
        """Return what is remembered of an account; None where nothing is.

        Raises:
            UnreadableMemory: something may have been, and it cannot be read.
        """
        held = self._read().get(account_sid)
        return _decided(held, self.path) if held is not None else None

    def changed_ns(self) -> int:
        """Return a mark that is another one whenever the file has changed; 0 where there is none."""
        try:
            return self.path.stat().st_mtime_ns
        except OSError:
            return 0

    def add(self, account_sid: str, decided: Decided) -> bool:
        """Remember it beside what is remembered; False (logged once) where the folder cannot be written."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._locked():
                try:
                    accounts = self._read()
                    known = accounts.get(account_sid)
                    whole = merged(_decided(known, self.path), decided) if known is not None else decided
                except UnreadableMemory:
                    accounts, whole = {}, decided
                if accounts.get(account_sid) != (entry := asdict(whole)):
                    self._write({**accounts, account_sid: entry})
        except OSError as error:
            if not self._told:
                _log.warning(
                    "what people decide cannot be kept in %s (%s): set CALLGUARD_DATA_DIR to a folder that can be "
                    "written, so that it outlives an emptied Redis", self.path, error.strerror,
                )  # fmt: skip
            self._told = True
            return False
        return True

    def _read(self) -> dict[str, Any]:
        try:
            found = self.path.stat()
            version = (found.st_mtime_ns, found.st_ino)
            if version == self._parsed[0]:
                return self._parsed[1]
            held = json.loads(self.path.read_text("utf-8"))
            if held["version"] > VERSION:
                raise UnreadableMemory(f"{self.path} was written by a newer version of CallGuard")
            self._parsed = (version, dict(held["accounts"]))
            return self._parsed[1]
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UnreadableMemory(f"{self.path} cannot be read ({type(error).__name__})") from error

    def _write(self, accounts: dict[str, Any]) -> None:
        folder = self.path.parent
        descriptor, name = tempfile.mkstemp(dir=folder, prefix=f".{NAME}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump({"version": VERSION, "accounts": accounts}, file)
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
        """Keep other processes from writing meanwhile. The folder itself is locked: no file is left behind."""
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
