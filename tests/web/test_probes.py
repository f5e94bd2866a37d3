"""Who may read the metrics, and what the probes tell a stranger."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from flask import Flask

from callguard.bootstrap import WebParts, build_console, build_web
from callguard.config.settings import load_settings
from callguard.domain.health import Watched, report, troubles
from callguard.domain.notices import Outage
from callguard.domain.results import ApiRefusal
from callguard.domain.snapshot import Word
from callguard.web import create_app
from callguard.web.api.refusals import Refusals
from callguard.web.probes import probes
from tests.conftest import ACCOUNT_SID
from tests.web.api.test_access import LOCAL, NOT_LOCAL

KEYS = "grafana:viewer:key-of-viewer,me:operator:key-of-operator,shop:reporter:key-of-reporter"
TOKEN = "token-of-metrics"
LOOPBACK_URL, PUBLIC_URL = "http://127.0.0.1:8000", "https://guard.example.com"


def client(redis_url: str, public_url: str = PUBLIC_URL, **more: str) -> Any:
    return create_app(services(redis_url, public_url, **more)).test_client()


def services(redis_url: str, public_url: str = PUBLIC_URL, **more: str) -> WebParts:
    environ = {
        "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
        "TWILIO_AUTH_TOKEN": "a" * 32,
        "CALLGUARD_PUBLIC_URL": public_url,
        "CALLGUARD_REDIS_URL": redis_url,
        **more,
    }
    return build_web(load_settings(environ))


def sent_as(secret: str) -> list[dict[str, str]]:
    return [{"x-api-key": secret}, {"Authorization": f"Bearer {secret}"}, {"Authorization": f"bearer {secret}"}]


@pytest.mark.parametrize(
    ("given", "secret", "http_status"),
    [
        ({"CALLGUARD_API_KEY": KEYS}, "", 401),
        ({"CALLGUARD_API_KEY": KEYS}, "key-of-viewer", 200),
        ({"CALLGUARD_API_KEY": KEYS}, "key-of-operator", 200),
        ({"CALLGUARD_API_KEY": KEYS}, "key-of-reporter", 403),
        ({"CALLGUARD_API_KEY": KEYS}, TOKEN, 401),
        ({"CALLGUARD_API_KEY": KEYS, "CALLGUARD_METRICS_TOKEN": TOKEN}, TOKEN, 200),
        ({"CALLGUARD_API_KEY": KEYS, "CALLGUARD_METRICS_TOKEN": TOKEN}, "key-of-viewer", 200),
        ({"CALLGUARD_API_KEY": KEYS, "CALLGUARD_METRICS_TOKEN": TOKEN}, "", 401),
        ({"CALLGUARD_METRICS_TOKEN": TOKEN}, TOKEN, 200),
        ({"CALLGUARD_METRICS_TOKEN": TOKEN}, "", 401),
        ({"CALLGUARD_METRICS_TOKEN": TOKEN}, f"{TOKEN}x", 401),
    ],
)
@pytest.mark.parametrize("public_url", [LOOPBACK_URL, PUBLIC_URL])
def test_metrics_ask_for_a_key_or_the_token(
    redis_url: str, given: dict[str, str], secret: str, http_status: int, public_url: str
) -> None:
    asking = client(redis_url, public_url, **given)

    for headers in sent_as(secret) if secret else [{}]:
        answer = asking.get("/metrics", headers=headers)

        assert answer.status_code == http_status, headers
        assert (ACCOUNT_SID in answer.text) is (http_status == 200)
        assert ("WWW-Authenticate" in answer.headers) is (http_status == 401)


@pytest.mark.parametrize("asked", LOCAL)
def test_without_keys_this_machine_may_scrape_a_guard_that_is_not_public(
    redis_url: str, asked: dict[str, Any]
) -> None:
    assert client(redis_url, LOOPBACK_URL).get("/metrics", **asked).status_code == 200


@pytest.mark.parametrize("asked", NOT_LOCAL)
def test_without_keys_nobody_else_may(redis_url: str, asked: dict[str, Any]) -> None:
    answer = client(redis_url, LOOPBACK_URL).get("/metrics", **asked)

    assert answer.status_code == 403
    assert ACCOUNT_SID not in answer.text


@pytest.mark.parametrize("asked", [*LOCAL, *NOT_LOCAL])
def test_without_keys_a_public_guard_gives_nothing_away(redis_url: str, asked: dict[str, Any]) -> None:
    """A bare proxy, or a tunnel whose client says `Host: localhost`, looks like a program of this machine."""
    asking = client(redis_url)

    for path in ("/metrics", "/api/accounts", f"/api/accounts/{ACCOUNT_SID}", "/readyz", "/healthz", "/", "/docs"):
        answer = asking.get(path, **asked)

        assert answer.status_code == {"/readyz": 200, "/healthz": 200, "/": 404, "/docs": 404}.get(path, 403)
        assert ACCOUNT_SID not in answer.text


def test_who_is_not_let_in_is_counted(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    guard = services(redis_url, CALLGUARD_API_KEY=KEYS)
    written: list[Any] = []

    def note(_: object, reason: ApiRefusal, peer: str) -> None:
        written.append((reason.value, peer))

    monkeypatch.setattr("callguard.web.Refusals.note", note)
    asking = create_app(guard).test_client()

    for path in ("/metrics", "/api/accounts"):
        asking.get(path)
        asking.get(path, headers={"x-api-key": "guessed-key"})
        asking.get(path, headers={"x-api-key": "key-of-reporter"})

    assert written == [(reason, "127.0.0.1") for reason in ("no_key", "wrong_key", "wrong_role")] * 2


def test_readiness_tells_no_address(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    asking = client("redis://127.0.0.1:9/0")

    answers = [asking.get("/readyz") for _ in range(5)]

    assert {answer.status_code for answer in answers} == {503}
    assert "127.0.0.1" not in answers[0].text
    assert len([record for record in caplog.records if "not ready" in record.getMessage()]) == 1
    assert "127.0.0.1:9" in caplog.text


def test_refusals_are_in_the_metrics(redis_url: str) -> None:
    guard = services(redis_url, LOOPBACK_URL)
    guard.stores.api_refusals.add({"wrong_key": 3, "no_key": 1})
    guard.stores.api_refusals.add({"wrong_key": 1})

    text = create_app(guard).test_client().get("/metrics").text

    assert 'callguard_api_refused_total{reason="wrong_key"} 4.0' in text
    assert 'callguard_api_refused_total{reason="wrong_role"} 0.0' in text


class Probed:
    """The probes of a guard of some accounts, all of which were polled, with a clock that stands."""

    def __init__(self, redis_url: str, folder: Path, accounts: int) -> None:
        self.sids = [f"AC{number:032x}" for number in range(1, accounts + 1)]
        config = folder / "callguard.toml"
        config.write_text("".join(f'[[accounts]]\nsid = "{sid}"\nauth_token_env = "ALL"\n' for sid in self.sids))
        given = {"CALLGUARD_CONFIG": str(config), "ALL": "a" * 32, "CALLGUARD_PUBLIC_URL": LOOPBACK_URL}
        settings = load_settings({**given, "CALLGUARD_REDIS_URL": redis_url})
        self.services, self.control = build_web(settings), build_console(settings).control
        self.redis = redis.Redis.from_url(redis_url, decode_responses=True)
        self.seconds = 100.0
        app = Flask("probes")
        refusals = Refusals(self.services.clock, self.services.stores.notices)
        app.register_blueprint(probes(self.services, refusals, lambda: self.seconds))
        self.client = app.test_client()
        for process in ("watcher", "cancel-worker"):
            self.services.stores.heartbeats.beat(process, self.now_ms)
        for sid in self.sids:
            self.redis.hset(f"callguard:{{{sid}}}:state", "polled", self.now_ms)
        self.asked("/healthz/guard")

    @property
    def now_ms(self) -> int:
        return self.services.clock.now_ms()

    def asked(self, path: str) -> tuple[int, str]:
        """Ask when whatever was kept is too old."""
        self.seconds += 1.0
        return self.asked_again(path)

    def asked_again(self, path: str) -> tuple[int, str]:
        answer = self.client.get(path)
        return answer.status_code, answer.text

    def commands(self) -> dict[str, int]:
        """Return what Redis was told since the last look, but for the looks."""
        stats: Any = self.redis.info("commandstats")
        self.redis.config_resetstat()
        told = {name.removeprefix("cmdstat_"): each["calls"] for name, each in stats.items()}
        return {name: calls for name, calls in told.items() if name not in ("info", "config|resetstat")}


@pytest.fixture
def many(redis_url: str, tmp_path: Path) -> Iterator[Probed]:
    probed = Probed(redis_url, tmp_path, 300)
    with probed.redis:
        yield probed


def test_whether_all_are_guarded_is_read_in_two_cheap_commands_an_account(many: Probed) -> None:
    many.commands()

    assert many.asked("/healthz/guard") == (200, "ok\n")

    assert many.commands() == {"set": 1, "hgetall": 1 + 300, "hmget": 300}


@pytest.mark.parametrize(("path", "read"), [("/healthz/guard", 602), ("/readyz", 1)])
def test_a_stranger_who_asks_on_and_on_costs_redis_one_reading_a_second(
    many: Probed, path: str, read: int
) -> None:
    many.commands()

    assert {many.asked(path)[0], *(many.asked_again(path)[0] for _ in range(100))} == {200}

    assert sum(many.commands().values()) == read


def test_what_turns_bad_or_good_is_told_a_second_later_at_most(many: Probed) -> None:
    sid = many.sids[7]
    pause = Word("anna@web1", "a test", many.now_ms)
    many.asked("/healthz/guard")

    many.control.pause(many.services.accounts[sid], pause)
    assert many.asked_again("/healthz/guard") == (200, "ok\n")
    paused = (503, "paused: a person has paused it (1 of 300 accounts)\n")
    assert many.asked("/healthz/guard") == paused

    snapshot = many.services.stores.tracker.snapshot(sid, many.now_ms)
    many.control.resume(many.services.accounts[sid], pause, snapshot)
    assert many.asked_again("/healthz/guard") == paused
    assert many.asked("/healthz/guard") == (200, "ok\n")


def test_the_probe_says_what_a_whole_reading_would(many: Probed) -> None:
    fields: list[Any] = [
        {"polled": many.now_ms - 100_000},
        {"paused": "1", "paused_by": "anna", "paused_until": many.now_ms + 60_000},
        {"capped": "1", "state": "cooling", "tripped": many.now_ms - 9_000, "generation": "3"},
        {"lost": many.now_ms - 5_000, "mode": "observe"},
        {"mode": "observe"},
    ]
    for sid, each in zip(many.sids, fields, strict=False):
        many.redis.hset(f"callguard:{{{sid}}}:state", mapping=each)
    many.redis.hset(f"callguard:{{{many.sids[9]}}}:outages", next(iter(Outage)).value, many.now_ms)
    many.redis.expire(f"callguard:{{{many.sids[9]}}}:outages", 60)
    policies = {sid: account.policy for sid, account in many.services.accounts.items()}
    whole = [
        Watched(sid, reading.snapshot, policies[sid], [outage.words for outage in reading.outages])
        for sid, reading in many.services.stores.readings.read_each(policies, many.now_ms).items()
    ]
    found = list(troubles(many.services.stores.heartbeats.ages(many.now_ms), whole))

    assert len({trouble.kind for trouble in found}) == 6
    assert many.asked("/healthz/guard") == (503, report(found, 300))
