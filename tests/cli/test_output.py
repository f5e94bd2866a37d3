"""What commands print, on terminals of some widths and where there is none."""

import os
import pty
import re
import sys
import termios
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from callguard.cli import main, output
from callguard.cli.output import say_command, wrapped
from callguard.domain.policy import Mode
from callguard.domain.snapshot import Finding, Rule
from tests.cli.cancel.cancelling import ROOT, SID, Emergency, emergency, on_a_terminal
from tests.cli.running import environ, run
from tests.conftest import ACCOUNT_SID, Store
from tests.stack import free_port

__all__ = ["environ"]

FINDING = Finding(Rule.SPIKE, 70.5, 65, "spike_burst", 1_000)
REASON = ("a test " * 12).strip()
WIDTHS = (80, 40)

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_UNITS = re.compile(r"(?:`[^`]*`|[^ `])+")


def lines_of(written: str) -> list[str]:
    return _ESCAPES.sub("", written).replace("\r", "\n").splitlines()


def too_long(lines: Sequence[str], columns: int) -> list[str]:
    """Return lines that are longer than the terminal is wide though they need not be."""
    return [line for line in lines if len(line) > columns and len(_UNITS.findall(line)) > 1]


def on_screen(monkeypatch: pytest.MonkeyPatch, columns: int, *words: str) -> tuple[int, str]:
    """Run a command in this process on a terminal of so many columns; return its exit code and what it wrote."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.extend(_all_of(ours)))
    reader.start()
    with monkeypatch.context() as patch, os.fdopen(theirs, "w", encoding="utf-8") as screen:
        patch.delenv("COLUMNS", raising=False)
        patch.setenv("TERM", "xterm")
        patch.setattr(sys, "stdout", screen)
        patch.setattr(sys, "stderr", screen)
        with pytest.raises(SystemExit) as ended:
            main(words, prog_name="callguard")
    reader.join()
    return int(ended.value.code or 0), b"".join(read).decode()


def _all_of(terminal: int) -> Iterator[bytes]:
    with os.fdopen(terminal, "rb", buffering=0) as file, suppress(OSError):  # the other end is closed
        while piece := file.read(4096):
            yield piece


@pytest.fixture
def tripped(store: Store) -> None:
    """An open incident, and nobody who guards."""
    store.incidents.trip(ACCOUNT_SID, 0, FINDING, Mode.ENFORCE, time.time_ns() // 1_000_000)


@pytest.mark.usefixtures("environ", "tripped")
class TestOfAGuard:
    @pytest.fixture(autouse=True)
    def nowhere(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CALLGUARD_TWILIO_API_URL", "http://127.0.0.1:9")

    @pytest.mark.parametrize("columns", WIDTHS)
    def test_a_terminal_gets_whole_words(self, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
        commands = (("pause", "--reason", REASON), ("status",), ("check", "--days", "0"), ("campaign",))
        written = {words[0]: on_screen(monkeypatch, columns, *words)[1] for words in commands}

        assert [line for text in written.values() for line in too_long(lines_of(text), columns)] == []
        assert all(min(columns, 70) - 20 < max(map(len, lines_of(text))) for text in written.values())
        broken = [part for text in written.values() for part in re.findall(r"`[^`]*`", text) if "\n" in part]
        assert broken == []
        assert "`callguard resume`" in written["pause"]
        assert "`python -m workers`" in written["check"]

    def test_where_there_is_no_terminal_a_line_stays_a_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COLUMNS", "40")

        assert f"{ACCOUNT_SID} is paused, reason: {REASON}.\n" in run("pause", "--reason", REASON).output
        assert re.search(f"^  paused +.*{REASON}.*$", run("status").output, re.MULTILINE)
        checked = run("check", "--days", "0").output
        assert re.search(
            r"^ BAD  watcher: never .*; run `python -m workers` or `callguard up`$", checked, re.MULTILINE
        )

    @pytest.mark.parametrize("columns", WIDTHS)
    @pytest.mark.parametrize("words", [("campaign", "--from", "+15550001111"), ("campaign", "--end", "nonsense")])
    def test_errors_are_broken_at_words_too(
        self, words: tuple[str, ...], columns: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        code, written = on_screen(monkeypatch, columns, *words)

        assert code == (2 if "--from" in words else 1)
        assert "Error:" in written
        assert too_long(lines_of(written[written.index("Error:") :]), columns) == []


@pytest.mark.full
@pytest.mark.parametrize("columns", WIDTHS)
def test_the_greeting_of_a_sandbox(columns: int, tmp_path: Path) -> None:
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("CALLGUARD_", "TWILIO_"))}
    environ = ours | {"PYTHONPATH": str(ROOT), "CALLGUARD_DATA_DIR": str(tmp_path)}

    code, written = on_a_terminal(
        environ, ["up", "--port", str(free_port())], [(rb"dials 5 a\s+second", b"\x03")],
        columns=columns, command=(sys.executable, "-m", "callguard"),
    )  # fmt: skip

    assert code == 0
    assert "`callguard status`" in written
    assert too_long(lines_of(written), columns) == []


@pytest.mark.parametrize(
    ("text", "columns", "lines"),
    [
        ("short", 40, ["short"]),
        ("", 40, [""]),
        ("one two three four", 10, ["one two", "  three", "  four"]),
        ("  label  one two three four", 20, ["  label  one two", "         three four"]),
        (
            "see `callguard cancel --dry-run`, then go on",
            20,
            ["see", "  `callguard cancel --dry-run`,", "  then go on"],
        ),
        ("\nNothing was\ncancelled by anybody.\n", 20, ["", "Nothing was", "cancelled by", "  anybody.", ""]),
        ("a stray ` and no other", 12, ["a stray `", "  and no", "  other"]),
        ("呼叫 呼叫 呼叫 呼叫", 10, ["呼叫 呼叫", "  呼叫", "  呼叫"]),
        (f"https://{'x' * 30}/a-b-c is it", 20, [f"https://{'x' * 30}/a-b-c", "  is it"]),
    ],
)
def test_it_is_broken_between_words_only(text: str, columns: int, lines: list[str]) -> None:
    assert wrapped(Text(text), columns).plain.split("\n") == lines
    assert wrapped(Text(text), None).plain == text


def test_what_is_styled_stays_so() -> None:
    line = Text.assemble(("BAD", "bold red"), "  one two three four five")

    broken = wrapped(line, 16)

    assert broken.plain == "BAD  one two\n     three four\n     five"
    assert [(span.start, span.end, str(span.style)) for span in broken.spans] == [(0, 3, "bold red")]


def test_a_command_has_an_indent_only_where_it_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    written = StringIO()
    for columns in (None, 12, 11, 5):
        monkeypatch.setattr(output, "columns_of", lambda _, columns=columns: columns)
        say_command("callguard x", Console(file=written))

    assert written.getvalue() == "  callguard x\ncallguard x\ncallguard x\ncallguard x\n"


@pytest.mark.parametrize("columns", WIDTHS)
def test_what_a_cancel_finds(columns: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with emergency(tmp_path, 5, latency=0.0) as here:
        for name, value in here.environ().items():
            monkeypatch.setenv(name, value)
        code, written = on_screen(monkeypatch, columns, "cancel", "--dry-run")
        nothing, told = on_screen(monkeypatch, columns, "cancel", "--dry-run", "--from", "+15559990000")

    assert (code, nothing) == (0, 1)
    assert "queued" in written
    assert too_long(lines_of(written + told), columns) == []
    assert "`callguard cancel --dry-run --show-numbers`" in told


@pytest.mark.full
class TestCancel:
    WORDS = ("--account", SID, "--yes", "--cps", "5")

    @pytest.fixture
    def here(self, tmp_path: Path) -> Iterator[Emergency]:
        with emergency(tmp_path, 40, latency=0.05) as here:
            yield here

    @pytest.mark.parametrize("columns", WIDTHS)
    def test_a_terminal_gets_whole_words_and_whole_commands(self, here: Emergency, columns: int) -> None:
        _, written = on_a_terminal(here.environ(), self.WORDS, [], columns=columns)

        lines = lines_of(written)
        command = f"callguard cancel --account {SID} --cps 5 --continue"
        assert [line for line in lines if command in line] == [command]
        assert too_long([line for line in lines if line != command], columns) == []

    def test_without_one_all_is_as_it_is_said(self, here: Emergency) -> None:
        here.settings["COLUMNS"] = "40"

        told = here.run(*self.WORDS).stdout

        assert f"\n  callguard cancel --account {SID} --cps 5 --continue\n" in told
        assert re.search(r"^  = .* \+ 0 remaining$", told, re.MULTILINE)


def test_consoles_are_made_in_one_place() -> None:
    """Else lines are broken in one way here and in another there."""
    sources = (ROOT / "callguard").rglob("*.py")

    assert [path.name for path in sources if re.search(r"\bConsole\(", path.read_text())] == ["output.py"]
