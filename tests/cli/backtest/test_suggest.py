"""`backtest --suggest` and `--write` as an operator uses them."""

import stat
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from callguard.cli.backtest.command import backtest

ACCOUNT, OTHER = "AC" + "1" * 32, "AC" + "2" * 32
BEGIN = datetime(2026, 11, 2, tzinfo=UTC)
HEADING = "Call SID,Account SID,Status,Direction,From,To,Date Created,Start Time,End Time,Queue Time"
RUNAWAY_DAY = 4


@pytest.fixture(autouse=True)
def environ(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("log"))
    for name in ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "CALLGUARD_CONFIG", "CALLGUARD_REDIS_URL"):
        monkeypatch.delenv(name, raising=False)


def run(*words: str, given: str, answer: str = "") -> Result:
    Path("calls.csv").write_text(given)
    return CliRunner().invoke(backtest, ["calls.csv", "--suggest", *words], input=answer)


def row(number: int, created: datetime, waits: int, called: int) -> str:
    dialled = created + timedelta(seconds=waits)
    ended = dialled + timedelta(seconds=30)
    times = ",".join(f"{moment:%Y-%m-%d %H:%M:%S}" for moment in (created, dialled, ended))
    parties = f"+15550100001,+1556{called:07d}"
    return f"CA{number:032x},{ACCOUNT},completed,outbound-api,{parties},{times},{waits * 1000}"


def log(days: int = 7, *, runaway: int = 0) -> str:
    """A batch of 40 calls at each noon, dialled one a second, and perhaps a runaway on one day."""
    rows: list[str] = []
    for day in range(days):
        count = runaway if runaway and day == RUNAWAY_DAY else 40
        noon = BEGIN + timedelta(days=day, hours=12)
        first = len(rows)
        rows += [row(first + place, noon, place, first + place) for place in range(count)]
    return "\n".join([HEADING, *rows, ""])


def test_the_table_is_toml_and_says_what_the_highest_was() -> None:
    result = run("--cps", "1", given=log())

    assert result.exit_code == 0, result.output
    table = tomllib.loads(result.output)
    assert table["spike_burst"] == 60
    assert table["cps"] == 1
    assert "# highest: 39" in result.output
    assert max(map(len, result.output.splitlines())) <= 100


def test_a_runaway_in_the_log_is_no_baseline_unless_it_is_said_to_be_ordinary() -> None:
    given = log(runaway=2000)

    left_out = run(given=given)
    kept = run("--ordinary", "2026-11-06", given=given)

    assert "Left out 2026-11-06" in left_out.output
    assert "spike_burst = 60 " in left_out.output
    assert "Left out" not in kept.output
    assert tomllib.loads(kept.output)["spike_burst"] > 2000


def test_too_little_is_said_and_nothing_printed_as_known() -> None:
    result = run(given=log(days=2))

    assert result.exit_code == 1
    assert "80 calls on 2 days are too few" in result.output
    assert "spike_burst" not in result.output


def test_start_times_alone_say_nothing_of_the_queue() -> None:
    rows = [line.split(",") for line in log().splitlines()]
    given = "\n".join(",".join([*cells[:6], cells[7]]) for cells in rows) + "\n"

    result = run(given=given)

    table = tomllib.loads(result.output)
    assert result.exit_code == 0, result.output
    assert not {"spike_rate", "spike_burst", "max_backlog", "max_drain_seconds"} & table.keys()
    assert "# spike_burst: the log does not show it" in result.output
    assert "Verified" not in result.output
    assert table["initiated_burst"] >= 30


FILE = f"""# our guard
public_url = "https://guard.example.com"

[policy]  # for all
spike_burst = 65   # as shipped
[[accounts]]
sid = "{ACCOUNT}"  # sales
auth_token = "{"a" * 32}"
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "guard.toml"
    path.write_text(FILE)
    path.chmod(0o640)
    monkeypatch.setenv("CALLGUARD_CONFIG", str(path))
    return path


def test_the_file_is_changed_after_a_diff_and_a_yes(file: Path) -> None:
    result = run("--write", given=log(), answer="y\n")

    assert result.exit_code == 0, result.output
    assert "-spike_burst = 65   # as shipped" in result.output
    written = tomllib.loads(file.read_text())
    assert written["policy"]["spike_burst"] == 60
    assert written["accounts"][0]["repeat_limit"] == 10
    for kept in ("# our guard", "[policy]  # for all", "# as shipped", "# sales"):
        assert kept in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert list(file.parent.iterdir()) == [file]


def test_a_no_changes_nothing(file: Path) -> None:
    assert "Nothing was written" in run("--write", given=log(), answer="n\n").output
    assert file.read_text() == FILE


def test_yes_asks_nothing_and_twice_changes_nothing(file: Path) -> None:
    run("--write", "--yes", given=log())
    before = file.read_text()

    assert "has these values already" in run("--write", "--yes", given=log()).output
    assert file.read_text() == before


def test_beside_other_accounts_it_is_the_accounts_own_table(file: Path) -> None:
    file.write_text(FILE + f'\n[[accounts]]\nsid = "{OTHER}"\nauth_token = "{"b" * 32}"\n')

    result = run("--write", "--yes", "--account", ACCOUNT, given=log())

    assert result.exit_code == 0, result.output
    written = tomllib.loads(file.read_text())
    assert written["policy"]["spike_burst"] == 65
    assert [table.get("spike_burst") for table in written["accounts"]] == [60, None]


def test_without_a_file_it_says_what_to_do() -> None:
    result = run("--write", "--yes", given=log())

    assert result.exit_code == 1
    assert "--write needs CALLGUARD_CONFIG" in result.output
