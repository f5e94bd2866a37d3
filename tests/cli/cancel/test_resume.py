"""`callguard cancel` broken off, by whatever, and taken up again."""

import os
import re
import shlex
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from callguard.cli.connect import embedded_url
from callguard.store.connection import connect
from tests.cli.cancel.cancelling import HANG_UP, SID, Emergency, account_of, emergency, on_a_terminal
from tests.processes.victims import is_running
from tests.waiting import wait_until

pytestmark = pytest.mark.full

CULPRIT, OTHER = "+15550100000", "+15550177777"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Emergency]:
    """400 calls are queued, at a Twilio so slow that cancelling them takes some seconds."""
    with emergency(tmp_path, 400, latency=0.2, ceiling=20) as here:
        yield here


def _once_at_work(here: Emergency, told: Path) -> None:
    wait_until(lambda: here.truth().cancelled > 60, f"the sweep is at work: {told.read_text()}", timeout=30)


def _valkey(here: Emergency) -> int:
    """Return the number of the process that keeps the progress."""
    return int((here.folder / "cancel" / SID / "valkey.lock").read_text().split()[1])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_it_in_good_order_and_the_printed_command_goes_on(
    number: signal.Signals, here: Emergency
) -> None:
    with here.begun("--yes") as (process, told):
        _once_at_work(here, told)
        os.kill(process.pid, number)
        code = process.wait(15)
        broken_off = here.truth()
    account = account_of(told.read_text())
    at_first, printed = re.findall(r"^  (callguard cancel .*)$", told.read_text(), re.MULTILINE)
    resumed = here.run(*shlex.split(printed)[2:], "--yes")
    truth = here.truth()

    assert code == 128 + number
    assert at_first == printed
    assert account["cancelled"] == broken_off.cancelled < 390
    assert account["remaining"] > 0
    assert broken_off.in_flight == 0
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert f"{account['found']} found = {account['cancelled']} cancelled" in resumed.stdout
    assert truth.queued == 0
    assert account_of(resumed.stdout) == {
        "found": account["found"],
        "cancelled": truth.cancelled,
        "dialled": account["found"] - truth.cancelled,
        **dict.fromkeys(("gone", "protected", "failed", "remaining"), 0),
    }
    assert "nothing to continue" in here.run("--continue", "--yes").stderr


def test_after_kill_9_nothing_is_left_behind_and_it_goes_on(here: Emergency) -> None:
    with here.begun("--yes") as (process, told):
        _once_at_work(here, told)
        valkey = _valkey(here)
        was_running = is_running(valkey)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
        wait_until(lambda: not is_running(valkey), "its Valkey ends too")
    resumed = here.run("--continue", "--yes")
    truth, sent = here.truth(), here.sent()

    account = account_of(resumed.stdout)
    assert was_running
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert account["cancelled"] == truth.cancelled
    assert account["found"] == truth.cancelled + account["dialled"]
    assert truth.queued == 0
    assert sent == {"canceled"}


def test_a_lost_terminal_stops_it_and_it_goes_on(here: Emergency) -> None:
    steps = [(rb"\[y/N\]", b"y\n"), (rb"cancelled [1-9]\d", HANG_UP)]
    code, _ = on_a_terminal(here.environ(), [], steps)
    stopped = here.truth()
    resumed = here.run("--continue", "--yes")

    assert code == 128 + signal.SIGHUP
    assert 0 < stopped.cancelled < 390
    assert stopped.in_flight == 0
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert account_of(resumed.stdout)["cancelled"] == here.truth().cancelled
    assert here.truth().queued == 0


def test_ctrl_c_on_a_terminal_prints_the_account_and_the_next_run_offers_to_go_on(here: Emergency) -> None:
    words = ["--from", CULPRIT, "--since", "1h"]
    steps = [(rb"\[y/N\]", b"y\n"), (rb"cancelled [1-9]\d", b"\x03")]
    code, written = on_a_terminal(here.environ(), words, steps)
    account = account_of(written)
    again, more = on_a_terminal(here.environ(), [], [(rb"\[y/N\]", b"n\n")])
    *_, printed = re.findall(r"(callguard cancel --account.*--continue)", written)
    resumed, rest = on_a_terminal(here.environ(), shlex.split(printed)[2:], [(rb"\[y/N\]", b"y\n")])

    assert code == 130
    assert account["remaining"] > 0
    assert f"--from {CULPRIT} --since 20" in printed
    assert again == 1
    assert "was broken off" in more
    assert resumed == 0, rest
    assert account_of(rest)["found"] == account["found"]
    assert here.truth().queued == 0


def test_with_the_same_options_it_is_offered_and_afresh_forgets_it(here: Emergency) -> None:
    steps = [(rb"\[y/N\]", b"y\n"), (rb"cancelled [1-9]\d", b"\x03")]
    _, written = on_a_terminal(here.environ(), [], steps)
    code, more = on_a_terminal(here.environ(), [], [(rb"\[Y/n\]", b"n\n"), (rb"\[y/N\]", b"y\n")])

    assert code == 0
    assert account_of(more)["found"] < account_of(written)["found"]
    assert here.truth().queued == 0


def test_other_options_than_before_are_refused_and_none_mean_its_own_calls(here: Emergency) -> None:
    with here.begun("--yes", "--from", CULPRIT) as (process, told):
        _once_at_work(here, told)
        os.kill(process.pid, signal.SIGINT)
        process.wait(15)
    here.queue(20, from_number=OTHER)
    refused = here.run("--continue", "--yes", "--from", OTHER)
    resumed = here.run("--continue", "--yes")

    assert refused.returncode == 2
    assert "other options" in refused.stderr
    assert resumed.returncode == 1, resumed.stdout + resumed.stderr
    assert "with that run's calls" in resumed.stdout
    assert "20 others are queued" in resumed.stdout
    assert account_of(resumed.stdout)["cancelled"] == here.truth().cancelled
    assert here.truth().queued == 20


def test_a_span_of_time_goes_on_as_it_began(here: Emergency) -> None:
    words = ["--yes", "--from", CULPRIT, "--since", "10m"]
    with here.begun(*words) as (process, told):
        _once_at_work(here, told)
        valkey = _valkey(here)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(15)
    wait_until(lambda: not is_running(valkey), "its Valkey ends too")
    (since,) = re.findall(r"--since is understood as (\S+)\.", told.read_text())
    here.queue(20, from_number=CULPRIT)
    resumed = here.run(*words, "--continue")

    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert f"with the times that it began with: --since {since}" in resumed.stdout
    assert account_of(resumed.stdout)["cancelled"] == here.truth().cancelled
    assert here.truth().queued == 0


def test_a_call_that_was_dialled_meanwhile_is_sent_nothing(tmp_path: Path) -> None:
    with emergency(tmp_path, 300, latency=0.2, ceiling=5) as here:
        with here.begun("--yes") as (process, told):
            wait_until(lambda: here.truth().cancelled > 20, "the sweep is at work", timeout=30)
            os.kill(process.pid, signal.SIGINT)
            process.wait(15)
        before = len(here.twilio.updates(SID))
        here.twilio.change(SID, cps=100.0)
        wait_until(lambda: here.truth().dialled > 50, "calls are dialled", timeout=30)
        here.twilio.change(SID, cps=0.5, latency=0.01)
        dialled = {
            sid for sid, status in here.twilio.statuses(SID).items() if status not in ("queued", "canceled")
        }
        resumed = here.run("--continue", "--yes")
        updated = {update.sid for update in here.twilio.updates(SID, before)}

    account = account_of(resumed.stdout)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert account["dialled"] >= len(dialled) - 2
    assert not dialled & updated
    assert told.exists()


def test_whom_never_cancel_names_in_the_meantime_is_protected(tmp_path: Path) -> None:
    with emergency(tmp_path, latency=0.2, ceiling=10) as here:
        here.queue(150, from_number=CULPRIT)
        here.queue(100, from_number=OTHER)
        with here.begun("--yes") as (process, told):
            wait_until(lambda: here.truth().cancelled > 20, "the sweep is at work", timeout=30)
            os.kill(process.pid, signal.SIGINT)
            process.wait(15)
        here.settings["CALLGUARD_POLICY__NEVER_CANCEL"] = OTHER
        resumed = here.run("--continue", "--yes")

        assert resumed.returncode == 0, told.read_text() + resumed.stdout + resumed.stderr
        assert account_of(resumed.stdout)["protected"] == here.truth().queued == 100


def test_two_for_one_account_are_one_too_many(here: Emergency) -> None:
    with here.begun("--yes") as (process, told):
        _once_at_work(here, told)
        second = here.run("--yes")
        assert process.wait(60) == 0

    assert second.returncode == 1
    assert "another `callguard cancel` is at work" in second.stderr


def test_its_valkey_may_die_without_harm(here: Emergency) -> None:
    with here.begun("--yes") as (process, told):
        _once_at_work(here, told)
        os.kill(_valkey(here), signal.SIGKILL)
        code = process.wait(60)

    assert code == 0, told.read_text()
    assert account_of(told.read_text())["cancelled"] == here.truth().cancelled
    assert here.truth().queued == 0


def test_what_is_kept_expires(here: Emergency) -> None:
    with here.begun("--yes") as (process, told):
        _once_at_work(here, told)
        url = embedded_url(here.folder / "cancel" / SID)
        assert url is not None
        client = connect(url, timeout=5)
        keys = list(client.scan_iter())
        lives = [client.ttl(key) for key in keys]
        client.close()
        process.wait(60)

    assert len(keys) == 3
    assert all(0 < life <= 25 * 3600 for life in lives)
