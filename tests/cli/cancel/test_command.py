"""`callguard cancel`: what it finds, what it asks, and that its account is the truth."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from callguard.simulator import ListOrder, RunawayPlan
from tests.cli.cancel.cancelling import SID, Emergency, account_of, emergency, on_a_terminal
from tests.waiting import wait_until

pytestmark = pytest.mark.full

CULPRIT, OTHER = "+15550100000", "+15550177777"
UNDER_WAY = 50


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Emergency]:
    """120 calls from the culprit and 30 from another number are queued."""
    with emergency(tmp_path) as here:
        here.queue(120, from_number=CULPRIT)
        here.queue(30, from_number=OTHER)
        yield here


def test_a_dry_run_shows_what_is_there_and_changes_nothing(here: Emergency) -> None:
    before = here.truth().queued

    result = here.run("--dry-run", "--price", "0.5")

    assert result.returncode == 0, result.stderr
    found = re.search(r"found     (\d+) queued calls", result.stdout)
    assert found is not None, result.stdout
    queued = int(found[1])
    assert here.truth().queued <= queued <= before, "Twilio dials meanwhile"
    assert re.search(r"\+1555\*\*\*00 +1[12]\d calls\n +\+1555\*\*\*77 +30 calls", result.stdout)
    assert f"about ${queued * 0.5:.2f}" in result.stdout
    assert "estimate" in result.stdout
    assert CULPRIT not in result.stdout
    assert here.truth().requests.updates == 0
    assert not (here.folder / "cancel").exists()


def test_numbers_are_shown_in_full_on_request_only(here: Emergency) -> None:
    assert CULPRIT in here.run("--dry-run", "--show-numbers").stdout


def test_without_a_terminal_it_wants_to_be_told_yes(here: Emergency) -> None:
    result = here.run()

    assert result.returncode == 2
    assert "--yes" in result.stderr
    assert here.truth().requests.lists == 0


def test_nothing_is_cancelled_without_consent(here: Emergency) -> None:
    code, written = on_a_terminal(here.environ(), [], [(rb"\[y/N\]", b"n\n")])

    assert code == 1
    assert "Nothing was cancelled" in written
    assert here.truth().requests.updates == 0


def test_what_was_typed_before_the_question_is_no_answer(here: Emergency) -> None:
    here.twilio.change(SID, latency=2.0)
    code, _ = on_a_terminal(here.environ(), [], [(rb"reading", b"y\n"), (rb"\[y/N\]", b"n\n")])

    assert code == 1
    assert here.truth().requests.updates == 0


def test_ctrl_c_at_the_question_cancels_nothing(here: Emergency) -> None:
    code, written = on_a_terminal(here.environ(), [], [(rb"\[y/N\]", b"\x03")])

    assert code == 130
    assert "Nothing was cancelled" in written
    assert "Traceback" not in written
    assert here.truth().requests.updates == 0


@pytest.mark.parametrize("order", [ListOrder.NEWEST, ListOrder.SHUFFLED])
def test_it_cancels_all_that_is_queued_the_oldest_first(order: ListOrder, tmp_path: Path) -> None:
    with emergency(tmp_path, list_order=order, latency=0.02, ceiling=20) as here:
        for _ in range(3):
            _begin_a_second()
            here.queue(100)
        result = here.run("--yes")
        truth, statuses = here.truth(), here.twilio.statuses(SID)
        updates = [update.sid for update in here.twilio.updates(SID)]

    account = account_of(result.stdout)
    assert result.returncode == 0, result.stdout + result.stderr
    assert truth.queued == 0
    assert account["cancelled"] == truth.cancelled
    assert account["found"] - account["cancelled"] == account["dialled"]
    place = {sid: number for number, sid in enumerate(statuses)}
    # Within a second Twilio tells no order; of two seconds the earlier one's calls come first. What is under way
    # at once may be served in any order, and what was refused is sent again.
    seconds = [place[sid] // 100 for sid in updates]
    ordered = sorted(seconds)
    assert all(second <= then for second, then in zip(seconds, ordered[UNDER_WAY:], strict=False))
    assert all(second >= before for second, before in zip(seconds[UNDER_WAY:], ordered, strict=False))


def _begin_a_second() -> None:
    second = datetime.now(UTC).second
    wait_until(lambda: datetime.now(UTC).second != second, "another second begins")


def test_only_canceled_is_ever_sent_and_what_was_dialled_is_counted(tmp_path: Path) -> None:
    with emergency(tmp_path, 400, cps=40, latency=0.3, ceiling=15) as here:
        result = here.run("--yes")
        truth, sent = here.truth(), here.sent()

    account = account_of(result.stdout)
    assert result.returncode == 0, result.stdout + result.stderr
    assert account["cancelled"] == truth.cancelled
    assert account["dialled"] > 0
    assert truth.queued == 0
    assert sent == {"canceled"}


def test_it_goes_on_while_the_script_creates_more(tmp_path: Path) -> None:
    with emergency(tmp_path, 200, latency=0.02) as here:
        here.twilio.start_runaway(SID, RunawayPlan(300, 100))
        result = here.run("--yes")
        truth = here.truth()

    account = account_of(result.stdout)
    assert result.returncode == 0, result.stdout + result.stderr
    assert truth.created == 500
    assert truth.queued == 0
    assert account["cancelled"] == truth.cancelled
    assert account["found"] > 200


def test_faults_do_not_spoil_the_account(tmp_path: Path) -> None:
    with emergency(tmp_path, 400, ceiling=10, latency=0.02) as here:
        here.twilio.change_faults(SID, error_rate=0.1, lost_reply_rate=0.1)
        result = here.run("--yes", timeout=100)
        truth, sent = here.truth(), here.sent()

    account = account_of(result.stdout)
    assert result.returncode == 0, result.stdout + result.stderr
    assert truth.queued == 0
    assert account["cancelled"] == truth.cancelled
    assert truth.requests.lost_replies > 0
    assert sent == {"canceled"}


def test_a_list_that_lags_is_waited_for_and_nothing_counts_twice(tmp_path: Path) -> None:
    with emergency(tmp_path, 100, list_lag=3.0) as here:
        wait_until(
            lambda: re.search(r"9\d queued", here.run("--dry-run").stdout), "the list shows them", timeout=20
        )
        result = here.run("--yes")
        truth = here.truth()

    account = account_of(result.stdout)
    assert result.returncode == 0, result.stdout + result.stderr
    assert account["cancelled"] == truth.cancelled == account["found"] - account["dialled"]
    assert truth.requests.updates <= 100


@pytest.mark.parametrize(
    ("words", "cancelled"),
    [
        (["--from", CULPRIT], {CULPRIT}),
        (["--from", "+155501777*"], {OTHER}),
        (["--from", OTHER, "--from", CULPRIT], {OTHER, CULPRIT}),
        (["--to", "+1555200*", "--from", OTHER], {OTHER}),
        (["--to", "+1666*"], set()),
    ],
)
def test_only_the_numbers_that_are_meant(words: list[str], cancelled: set[str], here: Emergency) -> None:
    result = here.run("--yes", *words)

    assert result.returncode == (0 if cancelled else 1), result.stdout + result.stderr
    statuses = list(here.twilio.statuses(SID).values())
    by_number = {CULPRIT: statuses[:120], OTHER: statuses[120:]}
    for number, of_number in by_number.items():
        assert ("queued" in of_number) is (number not in cancelled)
        assert ("canceled" in of_number) is (number in cancelled)


def test_where_nothing_matches_it_says_what_else_is_queued(here: Emergency) -> None:
    result = here.run("--yes", "--from", "+15550100009")
    later = here.run("--dry-run", "--since", "2999-01-01T00:00Z")

    assert result.returncode == later.returncode == 1
    assert re.search(
        r"Nothing that matches is queued, but 1[45]\d other calls are, "
        r"from \+1555\*\*\*00 \(1[12]\d\), \+1555\*\*\*77 \(30\)",
        result.stdout,
    ), result.stdout
    assert "lies in the future" in later.stderr
    assert here.truth().requests.updates == 0


def test_an_empty_queue_is_no_mistake(tmp_path: Path) -> None:
    with emergency(tmp_path) as here:
        assert here.run("--yes", "--from", CULPRIT).returncode == 0
        assert here.run("--dry-run").returncode == 0


def test_numbers_with_the_same_mask_are_told_apart(tmp_path: Path) -> None:
    with emergency(tmp_path) as here:
        here.queue(20, from_number="+15550100000")
        here.queue(10, from_number="+15550200000")
        shown = here.run("--dry-run").stdout

    assert re.search(r"\*00 #1 +(1\d|20) calls\n +\+1555\*\*\*00 #2 +(9|10) calls", shown), shown
    assert "--show-numbers" in shown
    assert "(assumed: set --cps)" in shown


def test_no_number_is_kept(here: Emergency) -> None:
    here.twilio.change(SID, latency=0.5)
    code, written = on_a_terminal(
        here.environ(), ["--from", CULPRIT], [(rb"\[y/N\]", b"y\n"), (rb"cancelled [1-9]", b"\x03")]
    )

    assert code == 130, written
    files = [path for path in here.folder.rglob("*") if path.is_file()]
    assert any("appendonly" in str(path) for path in files)
    assert not [path for path in files if CULPRIT[1:].encode() in path.read_bytes()]


def test_never_cancel_is_spared_and_shown(here: Emergency) -> None:
    here.settings["CALLGUARD_POLICY__NEVER_CANCEL"] = OTHER

    result = here.run("--yes")

    account = account_of(result.stdout)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "30: From or To is on `never_cancel`" in result.stdout
    assert account["protected"] == here.truth().queued == 30
    assert account["cancelled"] == here.truth().cancelled


def test_emergency_calls_are_protected_and_shown(here: Emergency) -> None:
    here.queue(2, to="911")
    here.queue(1, to="+44999")

    result = here.run("--yes")

    account = account_of(result.stdout)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "3: to emergency numbers, which are never cancelled" in result.stdout
    assert account["protected"] == here.truth().queued == 3
    assert account["cancelled"] == here.truth().cancelled


def test_wrong_credentials_are_told_with_their_name(here: Emergency) -> None:
    here.settings["TWILIO_AUTH_TOKEN"] = "f" * 32

    result = here.run("--yes")

    assert result.returncode == 1
    assert "check TWILIO_AUTH_TOKEN" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_twilio_that_is_away_is_told_after_some_tries(here: Emergency) -> None:
    here.settings["CALLGUARD_TWILIO_API_URL"] = "http://127.0.0.1:1"

    result = here.run("--dry-run")

    assert result.returncode == 1
    assert result.stdout.count("asking for the page again") == 5
    assert "CALLGUARD_TWILIO_API_URL" in result.stderr


@pytest.mark.parametrize(
    ("settings", "words", "named"),
    [
        ({"TWILIO_AUTH_TOKEN": ""}, ["--yes"], "TWILIO_AUTH_TOKEN"),
        ({"TWILIO_ACCOUNT_SID": "", "TWILIO_AUTH_TOKEN": ""}, ["--yes"], "TWILIO_ACCOUNT_SID"),
        ({}, ["--yes", "--account", "AC" + "0" * 32], SID),
        ({}, ["--yes", "--from", "555-123-4567"], "--from"),
        ({}, ["--yes", "--from", "*"], "leave --from out"),
        ({}, ["--yes", "--since", "soon"], "10m"),
        ({}, ["--yes", "--since", "1m", "--before", "2m"], "--before"),
        ({}, ["--yes", "--status", "in-progress"], "queued"),
        ({}, ["--dry-run", "--continue"], "--continue"),
        ({}, ["--yes", "--continue"], "nothing to continue"),
        ({"CALLGUARD_REDIS_URL": "foo"}, ["--yes"], "env -u CALLGUARD_REDIS_URL callguard cancel"),
        ({"CALLGUARD_PUBLIC_URL": "foo"}, ["--yes"], "env -u CALLGUARD_PUBLIC_URL callguard cancel"),
    ],
)
def test_mistakes_are_told_with_what_to_write(
    settings: dict[str, str], words: list[str], named: str, tmp_path: Path
) -> None:
    with emergency(tmp_path) as here:
        here.settings.update(settings)
        result = here.run(*words)

        assert result.returncode in (1, 2)
        assert named in " ".join(result.stderr.split())
        assert "Traceback" not in result.stderr
        assert here.truth().requests.lists == 0


def _zoned(moment: datetime, form: str) -> str:
    zones = {"Z": UTC, "offset": timezone(timedelta(hours=5, minutes=30)), "local": ZoneInfo("America/New_York")}
    written = moment.astimezone(zones[form]).replace(microsecond=0).isoformat()
    return {"Z": written.replace("+00:00", "Z"), "offset": written, "local": written[:19]}[form]


@pytest.mark.parametrize("form", ["Z", "offset", "local"])
@pytest.mark.parametrize("option", ["--since", "--before"])
def test_times_are_those_of_creation_in_their_zone(option: str, form: str, tmp_path: Path) -> None:
    with emergency(tmp_path, 60) as here:
        between = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
        wait_until(lambda: datetime.now(UTC) >= between, "the moment between is there")
        here.queue(40)
        here.settings["TZ"] = "America/New_York"
        result = here.run("--yes", option, _zoned(between, form))
        statuses = list(here.twilio.statuses(SID).values())

    meant, others = (statuses[60:], statuses[:60]) if option == "--since" else (statuses[:60], statuses[60:])
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{option} is understood as {between:%Y-%m-%dT%H:%M:%SZ}" in result.stdout
    assert "queued" not in meant
    assert "canceled" in meant
    assert "canceled" not in others


def test_with_several_accounts_one_is_to_be_named(here: Emergency) -> None:
    file = here.folder / "callguard.toml"
    file.write_text(f'[[accounts]]\nsid = "{"AC" + "0" * 32}"\nauth_token = "{"0" * 32}"\n')
    here.settings["CALLGUARD_CONFIG"] = str(file)

    assert "must be one of" in here.run("--dry-run").stderr
    assert here.run("--dry-run", "--account", SID).returncode == 0


def test_a_full_queue_is_read_page_by_page(tmp_path: Path) -> None:
    with emergency(tmp_path, 2500, latency=0.3) as here:
        code, written = on_a_terminal(here.environ(), ["--dry-run"], [])

    assert code == 0
    assert "page 2, 2,000 calls" in written
    assert re.search(r"2,(4\d\d|500) queued calls match", written)


def test_on_a_terminal_a_bar_shows_how_far_it_is(tmp_path: Path) -> None:
    with emergency(tmp_path, 400, latency=0.1, ceiling=20) as here:
        code, written = on_a_terminal(here.environ(), [], [(rb"\[y/N\]", b"y\n")])
        truth = here.truth()

    assert code == 0
    assert account_of(written)["cancelled"] == truth.cancelled
    assert "━" in written
    for shown in (r"\d+%", r"\d+/\d{3}", r"\d/s", r"left \d", r"dialled \d", "more will ring", "looking for more"):
        assert re.search(shown, written), shown
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written).replace("\r", "\n").splitlines()
    assert max(map(len, lines)) <= 80


def test_without_a_terminal_a_line_now_and_then(tmp_path: Path) -> None:
    with emergency(tmp_path, 300, latency=0.3, ceiling=10) as here:
        result = here.run("--yes")

    assert result.returncode == 0
    assert len(re.findall(r"^  \d\d:\d\d  cancelled", result.stdout, re.MULTILINE)) >= 2
    assert "\x1b" not in result.stdout


def test_slots_of_calls_that_were_cancelled_before_are_reckoned_with(tmp_path: Path) -> None:
    """Also where the dialler is told to be faster than it is."""
    with emergency(tmp_path, 300, cps=5.0) as here:
        assert here.run("--yes").returncode == 0
        here.queue(20)
        told = here.run("--yes", "--cps", "30").stdout

    (seconds,) = re.findall(r"a call created now may wait (\d+) s\.", told)
    assert 20 <= int(seconds) <= 64
