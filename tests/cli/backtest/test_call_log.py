"""A call log is understood whole, or refused with what was not understood."""

import gzip
import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from callguard.cli.backtest.call_table import LogError, Unread, table_of
from callguard.cli.backtest.command import backtest
from tests.cli.backtest.test_command import ACCOUNT, NOON, SET, csv, environ, row, run, runaway, told

__all__ = ["environ"]


def dated(day: str, *, number: int = 0) -> str:
    return f"CA{number:032x},completed,outbound-api,{day} 14:03:07,{day} 14:03:09"


HEADING = "Call SID,Status,Direction,Date Created,Start Time"


def test_one_date_decides_for_the_whole_file() -> None:
    day_first = csv(dated("05/11/2026"), *(dated("13/11/2026", number=n) for n in (1, 2)), heading=HEADING)
    month_first = csv(dated("05/11/2026"), dated("11/13/2026", number=1), heading=HEADING)

    assert told("-", given=day_first)["from"].startswith("2026-11-05T")
    assert told("-", given=day_first)["notes"] == []
    assert told("-", given=month_first)["from"].startswith("2026-05-11T")


def test_the_date_that_decides_may_be_the_last_of_many() -> None:
    rows = [dated("05/11/2026", number=n) for n in range(3000)] + [dated("30/11/2026", number=9999)]

    answer = told("-", given=csv(*rows, heading=HEADING))

    assert (answer["from"][:10], answer["until"][:10]) == ("2026-11-05", "2026-11-30")


def test_where_nothing_decides_it_is_said_how_dates_are_read() -> None:
    given = csv(*(dated("05/11/2026", number=n) for n in range(300)), heading=HEADING)

    result = run("-", given=given)

    assert result.exit_code == 0, result.output
    assert "NOTE: 05/11/2026 and all such dates are read with the month first" in result.output
    assert "--dates day-first" in result.output
    assert "Verified" not in result.output
    assert told("-", given=given)["verified"] is False
    assert told("-", "--dates", "day-first", given=given)["from"].startswith("2026-11-05")
    assert told("-", "--dates", "month-first", given=given)["from"].startswith("2026-05-11")
    assert "NOTE: 05/11" not in run("-", "--dates", "day-first", given=given).output


def test_dates_that_contradict_each_other_or_the_option_are_refused() -> None:
    both = csv(dated("13/11/2026"), dated("11/13/2026", number=1), heading=HEADING)
    result = run("-", given=both)
    assert result.exit_code == 1
    assert "have no one order: in 2 of them the first number is no month, in 2 the second" in result.output

    wrong = run("-", "--dates", "month-first", given=csv(dated("13/11/2026"), heading=HEADING))
    assert wrong.exit_code == 1
    assert "--dates month-first cannot be right" in wrong.output


def test_other_dates_need_no_order() -> None:
    assert told("-", given=csv(*runaway()))["notes"] == []


@pytest.mark.parametrize(
    "word", ["Outgoing API", "outgoing-api", "Outbound API", "OUTBOUND_API", "outbound-api", ""]
)
def test_calls_by_api_have_many_names(word: str) -> None:
    assert told("-", *SET, given=csv(*runaway(direction=word)))["calls"] == 30


@pytest.mark.parametrize(
    "word",
    ["Outgoing Dial", "Outbound Dial", "Incoming", "inbound", "Trunking Originating", "trunking-terminating"],
)
def test_other_calls_have_many_names_too(word: str) -> None:
    answer = told("-", *SET, given=csv(*runaway(), row(500, 0, 0, direction=word)))

    assert (answer["calls"], answer["left_out"]["inbound or child legs"]) == (30, 1)


def test_without_a_direction_the_parent_tells() -> None:
    heading = "Call SID,Parent Call SID,Date Created,Start Time"
    rows = [f"CA{n:032x},{'CA' + 'f' * 32 if n % 3 == 0 else 'null'},2026-11-21 12:00:00,2026-11-21 12:00:01"
            for n in range(9)]  # fmt: skip

    assert told("-", given=csv(*rows, heading=heading))["calls"] == 6


def test_a_word_that_is_not_known_is_shown_and_refused() -> None:
    others = [row(500 + n, 0, n, direction="Ausgehend API") for n in range(290)]

    result = run("-", given=csv(*runaway(10), *others, row(900, 0, 0, direction="+15551234567")))

    assert result.exit_code == 1
    assert 'column "Direction": 290 "Ausgehend API", 1 "+***"' in result.output
    assert "1234567" not in result.output
    assert "Verified" not in result.output


def test_statuses_and_queue_times_are_understood_or_refused_too() -> None:
    good = [line.replace("completed", word) for line, word in zip(
        runaway(5), ["Completed", "No Answer", "cancelled", "In Progress", "BUSY"], strict=True)]  # fmt: skip
    assert told("-", given=csv(*good))["calls"] == 5

    result = run("-", given=csv(*good, row(90, 0, 0).replace("completed", "melted"), *runaway(9)[6:]))
    assert result.exit_code == 1
    assert 'column "Status": 1 "melted"' in result.output

    result = run("-", given=csv(*runaway(5), row(90, 0, 0)[:-1] + "soon"))
    assert result.exit_code == 1
    assert 'column "Queue Time": 1 "soon"' in result.output


def test_a_log_without_calls_by_api_says_what_it_has() -> None:
    result = run("-", given=csv(*(row(n, 0, n, direction="Outgoing Dial") for n in range(18)), row(99, 0, 0)[:9]))

    assert result.exit_code == 1
    assert "there is no outbound call to replay" in result.output
    assert '18 with a direction that is none: 18 "Outgoing Dial"' in result.output
    assert "1 unreadable" in result.output


# Twilio's bulk export.


def exported(count: int = 30, **changes: Any) -> list[dict[str, Any]]:
    """Calls as Twilio's bulk export and its API have them; created within a second, dialled one a second."""
    return [
        {
            "sid": f"CA{n:032x}", "account_sid": ACCOUNT, "status": "completed", "direction": "outbound-api",
            "from": "+15550100001", "to": f"+1555{n:07d}", "date_created": f"{NOON:%Y-%m-%dT%H:%M:%SZ}",
            "start_time": f"{NOON + timedelta(seconds=n):%Y-%m-%dT%H:%M:%SZ}", "end_time": None,
            "queue_time": n * 1000, "parent_call_sid": None, "subresource_uris": {"a": "b"}, **changes,
        }
        for n in range(count)
    ]  # fmt: skip


def lines_of(calls: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(call) + "\n" for call in calls).encode()


@pytest.mark.parametrize(
    "form",
    [
        lines_of(exported()),
        b"\xef\xbb\xbf" + lines_of(exported()),
        gzip.compress(lines_of(exported())),
        json.dumps(exported()).encode(),
        json.dumps(exported(), indent=2).encode(),
        json.dumps({"calls": exported(), "next_page_uri": None}).encode(),
        gzip.compress(json.dumps({"calls": exported()}, indent=1).encode()),
        gzip.compress(csv(*runaway()).encode()),
    ],
    ids=[
        "lines",
        "lines with a mark",
        "lines in gzip",
        "list",
        "pretty list",
        "answer",
        "answer in gzip",
        "CSV in gzip",
    ],
)
def test_the_bulk_export_is_read_like_the_csv_file(form: bytes, tmp_path: Path) -> None:
    path = tmp_path / "calls"
    path.write_bytes(form)

    answer, of_csv = told(str(path), *SET), told("-", *SET, given=csv(*runaway()))

    assert answer["trips"] == of_csv["trips"]
    assert (answer["calls"], answer["cancelled"], answer["verified"]) == (30, 29, True)


def test_odd_lines_of_an_export_are_located() -> None:
    good = lines_of(exported())
    result = CliRunner().invoke(
        backtest, ["-", *SET], input=good + b'[1]\n"x"\n{"sid": \n' + b"[" * 100_000 + b"\n"
    )

    assert result.exit_code == 0, result.output
    assert "4 unreadable" in result.output
    assert "line 31: no JSON object" in result.output
    assert "Verified" not in result.output
    assert "4 rows could not be read" in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("form", "why"),
    [
        (b"{}", "none of them is a time"),
        (b"[]", "the file is empty"),
        (b'{"calls": 7}', "none of them is a time"),
        (b"{", "holds no calls"),
        (b"[1", "holds no calls"),
        (b"[" * 100_000, "holds no calls"),
        (gzip.compress(b"x" * 100_000)[:50], "gzip"),
        (b"\x1f\x8bnot gzip", "gzip"),
    ],
    ids=["object", "list", "number", "brace", "broken list", "deep", "broken gzip", "no gzip"],
)
def test_what_is_no_export_is_refused_in_words(form: bytes, why: str) -> None:
    result = CliRunner().invoke(backtest, ["-"], input=form)

    assert result.exit_code == 1
    assert why in result.output
    assert "Traceback" not in result.output


def test_a_stream_that_cannot_go_back_is_read_too() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    with table_of(Pipe(csv(*runaway()).encode())) as table:
        assert len(list(table.rows(Unread()))) == len(list(table.rows(Unread()))) == 30


def test_a_table_breaks_off_with_its_gzip() -> None:
    packed = gzip.compress(csv(*runaway(3000)).encode())

    half = io.BytesIO(packed[: len(packed) // 2])

    with pytest.raises(LogError, match="not a whole one"), table_of(half) as table:
        list(table.rows(Unread()))


# What is verified.


def test_start_times_alone_prove_nothing() -> None:
    given = "Start Time\n" + "\n".join(
        f"{NOON + timedelta(seconds=n // 20):%Y-%m-%d %H:%M:%S}" for n in range(1500)
    )

    for source in ("report", "callback"):
        result = run("-", "--source", source, given=given)
        assert result.exit_code == 0
        assert "Verified" not in result.output
        assert "tightest thresholds with" not in result.output
        assert "No thresholds follow" in result.output
        answer = told("-", "--door", {"report": "entrance"}.get(source, source), given=given)
        assert (answer["verified"], answer["tightest"]) == (False, [])
        assert "the log does not show the queue" in answer["doubts"]


def test_rows_that_could_not_be_read_leave_a_doubt() -> None:
    result = run("-", *SET, given=csv(*runaway(), "CA91,too,few"))

    assert "Verified" not in result.output
    assert "that proves little" in result.output
