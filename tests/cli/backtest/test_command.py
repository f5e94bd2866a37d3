"""`callguard backtest` as an operator uses it."""

import json
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from callguard.cli.backtest.call_times import TimeReader
from callguard.cli.backtest.command import backtest
from callguard.simulator import (
    SANDBOX_ACCOUNT_SID,
    SANDBOX_AUTH_TOKEN,
    AccountConfig,
    RunawayPlan,
    RunningSimulator,
    SimulatorConfig,
    running,
)
from tests.waiting import wait_until

ACCOUNT = "AC" + "1" * 32
OTHER = "AC" + "2" * 32
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
HEADING = "Call SID,Account SID,Status,Direction,From,To,Date Created,Start Time,End Time,Queue Time"
SET = ("--set", "spike_rate=1", "--set", "spike_burst=10", "--set", "min_backlog=5", "--cps", "1")


@pytest.fixture(autouse=True)
def environ(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings at all."""
    for name in ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "CALLGUARD_CONFIG", "CALLGUARD_REDIS_URL"):
        monkeypatch.delenv(name, raising=False)


def run(*words: str, given: str | None = None) -> Result:
    return CliRunner().invoke(backtest, words, input=given)


def told(*words: str, given: str | None = None) -> dict[str, Any]:
    result = run(*words, "--json", given=given)
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def written(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def row(number: int, second: float, waits: float, account: str = ACCOUNT, direction: str = "outbound-api") -> str:
    created = NOON + timedelta(seconds=second)
    dialled = created + timedelta(seconds=waits)
    ended = dialled + timedelta(seconds=30)
    parties = f"+15550100001,+1555{number:07d}"
    times = f"{written(created)},{written(dialled)},{written(ended)},{waits * 1000:.0f}"
    return f"CA{number:032x},{account},completed,{direction},{parties},{times}"


def runaway(count: int = 30, **more: str) -> list[str]:
    """Calls created within the second of noon, dialled one a second."""
    return [row(number, 0, number, **more) for number in range(count)]


def csv(*rows: str, heading: str = HEADING) -> str:
    return "\n".join([heading, *rows, ""])


def test_a_runaway_is_shown_with_its_rule_and_figures(tmp_path: Path) -> None:
    """The level is 10.67 at the 11th call, 1/3 s after noon; one has been dialled by then."""
    path = tmp_path / "calls.csv"
    path.write_text(csv(*runaway()))

    result = run(str(path), *SET)

    assert result.exit_code == 0, result.output
    text = " ".join(result.output.split())
    assert "30 calls" in text
    assert "2026-11-21 12:00:00" in text
    assert "spike: 10.7" in text
    assert "1 trip: 29 of 30 calls (96.7 %) would have been cancelled." in text
    assert "Verified" in text


def test_json_says_the_same() -> None:
    answer = told("-", *SET, given=csv(*runaway()))

    (trip,) = answer["trips"]
    assert (trip["at"], trip["rule"], trip["queued"]) == ("2026-11-21T12:00:00.333Z", "spike", 10)
    assert (trip["cancelled"], answer["cancelled"], answer["calls"]) == (29, 29, 30)
    assert answer["verified"] is True


def test_a_quiet_history_does_not_trip() -> None:
    answer = told("-", *SET, given=csv(*(row(number, number * 2, 0) for number in range(100))))

    assert answer["trips"] == []


def test_the_order_of_rows_does_not_matter() -> None:
    rows = [*runaway(), *(row(100 + number, 300 + number // 4, number) for number in range(50))]
    shuffled = random.Random(1).sample(rows, len(rows))

    assert told("-", *SET, given=csv(*shuffled)) == told("-", *SET, given=csv(*rows))


@pytest.mark.parametrize(
    "heading",
    [
        "sid,account_sid,status,direction,from,to,date_created,start_time,end_time,queue_time",
        "CallSid,AccountSid,Status,Direction,From,To,DateCreated,StartTime,EndTime,QueueTime",
        "\ufeffCALL SID,ACCOUNT SID,STATUS,DIRECTION,FROM,TO,DATE CREATED,START TIME,END TIME,QUEUE TIME (MS)",
        '"Sid","AccountSid","Status","Direction","From","To","Date Created","Start Time","End Time","Queue Time"',
    ],
)
def test_headings_may_be_written_in_many_ways(heading: str) -> None:
    assert told("-", *SET, given=csv(*runaway(), heading=heading)) == told("-", *SET, given=csv(*runaway()))


@pytest.mark.parametrize(
    "text",
    [
        "Sat, 21 Nov 2026 14:03:07 +0000",
        "21 Nov 2026 14:03:07 GMT",
        "2026-11-21T14:03:07Z",
        "2026-11-21T15:03:07+01:00",
        "2026-11-21T14:03:07.000Z",
        "2026-11-21 14:03:07",
        "2026-11-21 14:03:07 UTC",
        "11/21/2026 14:03:07",
        "11/21/2026 2:03:07 PM",
        "06:03:07 PST 2026-11-21",
    ],
)
def test_times_may_be_written_in_many_ways(text: str) -> None:
    wanted = datetime(2026, 11, 21, 14, 3, 7, tzinfo=UTC)

    assert TimeReader().milliseconds(text) == wanted.timestamp() * 1000


def test_a_reader_that_knows_a_minute_reads_its_other_seconds() -> None:
    times, noon = TimeReader(), NOON.timestamp() * 1000

    assert [times.milliseconds(f"2026-11-21 12:00:{n:02d}") for n in range(60)] == [
        noon + 1000 * n for n in range(60)
    ]
    assert times.milliseconds("2026-11-21 12:01:00") == noon + 60_000
    assert times.milliseconds("2026-11-21T12:00:07+01:00") == noon + 7000 - 3_600_000
    assert times.milliseconds("2026-11-21 12:00:09.250") == noon + 9250
    for text in ("2026-11-21 12:00:61", "2026-11-21 12:00:x7", "2026-11-21 12:00:7", "2026-11-21 12:00:"):
        with pytest.raises(ValueError, match=r"."):
            times.milliseconds(text)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01 00:00:00", "2026-11-21 25:00:00", "1795269787"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        TimeReader().milliseconds(text)


def test_times_without_a_zone_are_in_the_given_one() -> None:
    """Tokyo is nine hours ahead; New York five behind in winter and four in summer."""
    assert told("-", "--timezone", "Asia/Tokyo", given=csv(row(1, 0, 0)))["from"] == "2026-11-21T03:00:00.000Z"
    summer = csv(row(1, 0, 0)).replace("2026-11-21", "2026-07-21")
    assert told("-", "--timezone", "America/New_York", given=summer)["from"] == "2026-07-21T16:00:00.000Z"
    assert "Europe/Berlin" in run("-", "--timezone", "Mars/Base", given=summer).output


def test_missing_columns_are_named() -> None:
    result = run("-", given="Call SID,Status,Duration\nCA1,completed,5\n")

    assert result.exit_code == 1
    assert "Found: Call SID, Status, Duration" in result.output
    assert "Missing: Date Created, or else Start Time" in result.output
    assert "A file that works:" in result.output


def test_an_empty_file_is_said_to_be_empty() -> None:
    assert "the file is empty" in run("-", given="").output
    assert "no outbound call" in run("-", given=csv()).output


def test_rows_that_cannot_be_read_are_counted_and_located() -> None:
    bad = [
        row(90, 0, 0).replace("2026-11-21", "2026-99-21"),
        "CA91,too,few",
        row(92, 0, 0).replace("2026", "+1555"),
    ]

    result = run("-", *SET, given=csv(*bad, *runaway()))

    assert result.exit_code == 0
    assert "not among them: 3 unreadable" in result.output
    assert "line 2: the time of creation cannot be read" in result.output
    assert "line 3: 3 fields, not 10 as in the first line" in result.output
    assert "+1555" not in result.output


def test_a_file_that_is_mostly_unreadable_is_refused() -> None:
    result = run("-", given=csv(*(["nonsense"] * 31), *runaway()))

    assert result.exit_code == 1
    assert "31 of 61 rows cannot be read" in result.output
    assert "line 2:" in result.output


def test_inbound_calls_and_child_legs_are_left_out() -> None:
    others = [
        row(200 + n, 0, n, direction=direction)
        for n, direction in enumerate(("inbound", "outbound-dial", "Inbound"))
    ]

    answer = told("-", *SET, given=csv(*runaway(), *others))

    assert answer["calls"] == 30
    assert answer["left_out"]["inbound or child legs"] == 3


def test_a_call_that_is_listed_twice_counts_once() -> None:
    answer = told("-", *SET, given=csv(*runaway(), *runaway(4)))

    assert answer["calls"] == 30
    assert answer["left_out"]["repeated a SID"] == 4


def test_without_sids_each_row_is_a_call() -> None:
    rows = [line.partition(",")[2] for line in runaway()]

    assert told("-", *SET, given=csv(*rows, *rows[:4], heading=HEADING.partition(",")[2]))["calls"] == 34


def test_of_several_accounts_one_must_be_chosen() -> None:
    given = csv(*runaway(), *(row(500 + n, 0, n, account=OTHER) for n in range(7)))

    result = run("-", given=given)
    assert result.exit_code == 1
    assert ACCOUNT in result.output
    assert OTHER in result.output
    assert told("-", "--account", OTHER, given=given)["calls"] == 7


def test_a_file_without_times_of_creation_says_so() -> None:
    given = "Start Time\n" + "\n".join(written(NOON + timedelta(seconds=n)) for n in range(40))

    result = run("-", *SET, given=given)

    assert result.exit_code == 0
    assert "the queue cannot be seen" in result.output


def test_the_creation_follows_from_start_and_queue_time() -> None:
    rows = [f"{written(NOON + timedelta(seconds=n))},{n * 1000}" for n in range(30)]

    assert told("-", *SET, given=csv(*rows, heading="Start Time,Queue Time"))["cancelled"] == 29


def test_other_thresholds_are_checked_as_settings_are() -> None:
    result = run("-", "--set", "spike_burst=lots", "--set", "spyke_rate=1", given=csv(*runaway()))

    assert result.exit_code == 1
    assert 'should be a valid number, not "lots". Write for example --set spike_burst=65' in result.output
    assert "did you mean spike_rate?" in result.output
    assert run("-", "--set", "spike_burst", given="").exit_code == 2


def test_the_configured_policy_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLGUARD_POLICY__SPIKE_BURST", "100")
    assert "CALLGUARD_POLICY__" in str(told("-", given=csv(*runaway()))["policy"])

    monkeypatch.setenv("TWILIO_ACCOUNT_SID", ACCOUNT)
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "a" * 32)
    answer = told("-", given=csv(*runaway()))

    assert answer["policy"] == f"the settings of {ACCOUNT}"
    assert answer["tightest"][0]["configured"] == 100
    assert told("-", "--set", "spike_burst=10", given=csv(*runaway()))["tightest"][0]["configured"] == 10


def test_what_to_replay_must_be_said() -> None:
    assert run().exit_code == 2
    assert run("-", "--fetch", given="").exit_code == 2
    assert "needs TWILIO_ACCOUNT_SID" in run("--fetch", "--since", "2026-11-21").output


@pytest.fixture
def twilio(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningSimulator]:
    """A simulated Twilio that has dialled 40 calls, 20 a second."""
    with running(SimulatorConfig(accounts=(AccountConfig(cps=20.0, latency=0.0),))) as simulator:
        monkeypatch.setenv("TWILIO_ACCOUNT_SID", SANDBOX_ACCOUNT_SID)
        monkeypatch.setenv("TWILIO_AUTH_TOKEN", SANDBOX_AUTH_TOKEN)
        monkeypatch.setenv("CALLGUARD_TWILIO_API_URL", simulator.url)
        simulator.start_runaway(SANDBOX_ACCOUNT_SID, RunawayPlan(40))
        wait_until(lambda: simulator.account(SANDBOX_ACCOUNT_SID).dialled == 40, "all calls are dialled")
        yield simulator


def test_a_history_is_fetched(twilio: RunningSimulator) -> None:
    since = f"{datetime.fromtimestamp(time.time() - 3600, UTC):%Y-%m-%dT%H:%M:%SZ}"

    answer = told(
        "--fetch", "--since", since, "--set", "cps=20", "--set", "spike_burst=10", "--set", "min_backlog=5"
    )

    assert answer["calls"] == 40
    assert answer["trips"]
    assert "needs --since" in run("--fetch").output
    assert "is no time" in run("--fetch", "--since", "soon").output
