"""Writing thresholds into the file of CALLGUARD_CONFIG; its comments and layout are kept."""

import difflib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

Values = Mapping[str, float | int | list[str]]


class FileError(Exception):
    """The file cannot be changed; the message says what to do instead."""


def changed(text: str, account_sid: str, values: Values) -> str:
    """Return the file's `text` with `values` under the account's table, or where they stand in `[policy]`.

    They go under `[policy]` only where the account has no table of its own, or it is the only account and the
    key is set in `[policy]` and not in its table.

    Raises:
        FileError: the text is not TOML, or names other accounts only.
    """
    try:
        document: Any = tomlkit.parse(text)
    except TOMLKitError as error:
        raise FileError(f"it is not TOML: {error}") from None
    tables = document.get("accounts", [])
    own = next((table for table in tables if table.get("sid") == account_sid), None)
    if own is None and tables:
        raise FileError(
            f"it has no [[accounts]] table with sid = {account_sid}; add one, or write the lines there"
        )
    for key, value in values.items():
        _table_of(key, document, own, is_only=len(tables) <= 1)[key] = value
    return tomlkit.dumps(document)


def _table_of(key: str, document: Any, own: Any, *, is_only: bool) -> Any:
    in_policy = key in document.get("policy", {})
    if own is not None and not (is_only and in_policy and key not in own):
        return own
    if "policy" not in document:
        document["policy"] = tomlkit.table()
    return document["policy"]


def difference(path: Path, before: str, after: str) -> str:
    """Return the change as a unified diff; empty for none."""
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), str(path), str(path), n=2
    )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def read(path: Path) -> str:
    """Return the file's text with its line ends as they are.

    Raises:
        FileError: it cannot be read.
    """
    try:
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"{path} cannot be read ({error})") from None


def write(path: Path, before: str, after: str) -> None:
    """Put `after` in the place of `before` in one step, with the file's mode; a link stays a link.

    Raises:
        FileError: it cannot be written, or was changed meanwhile.
    """
    target = path.resolve()
    if read(target) != before:
        raise FileError(f"{path} was changed meanwhile; nothing was written, run it again")
    try:
        _replace(target, after.encode())
    except OSError as error:
        raise FileError(f"{path} cannot be written ({error.strerror}); nothing was changed") from None


def _replace(target: Path, content: bytes) -> None:
    status = target.stat()
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            os.fchmod(handle, status.st_mode & 0o7777)
            if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(handle, status.st_uid, status.st_gid)
            file.flush()
            os.fsync(handle)
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
