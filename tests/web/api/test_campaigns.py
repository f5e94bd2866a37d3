"""Announced campaigns through the API."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from callguard.config.api_keys import Role
from callguard.domain.campaigns import MAX_OPEN_CAMPAIGNS
from callguard.errors import StoreUnavailable
from tests.web.api.served import FROM, OBSERVED_SID, OTHER_FROM, SID, UNKNOWN_SID, Services, reported

PATH = f"/api/accounts/{SID}/campaigns"
DAY = timedelta(days=1)


def after(services: Services, span: timedelta) -> str:
    return (datetime.fromtimestamp(services.clock.ms / 1000, UTC) + span).isoformat()


def announce(services: Services, **changes: Any) -> list[dict[str, Any]]:
    body = {"calls": 5, "from": FROM, "until": after(services, DAY), **changes}
    answer = services.client().post(PATH, json=body)
    assert answer.status_code == 201, answer.text
    campaigns: list[dict[str, Any]] = answer.json["campaigns"]
    return campaigns


def test_a_campaign_is_announced_and_listed(services: Services) -> None:
    (created,) = announce(services)

    assert re.fullmatch("[0-9a-f]{8}", created["id"])
    assert created | {"id": "", "starts_at": "", "until": ""} == {
        "id": "", "calls": 5, "came": 0, "from": "+1555***11", "starts_at": "", "until": "",
        "announced_by": "the operator", "open": True,
    }  # fmt: skip
    starts, until = (datetime.fromisoformat(created[name]) for name in ("starts_at", "until"))
    assert starts.timestamp() * 1000 == pytest.approx(services.clock.ms, abs=1)
    assert until - starts == DAY
    assert services.client(Role.VIEWER).get(PATH).json == {"campaigns": [created]}
    assert services.client().get(f"/api/accounts/{OBSERVED_SID}/campaigns").json == {"campaigns": []}


def test_calls_of_a_campaign_come(services: Services) -> None:
    announce(services)

    services.client().post("/api/reports", json={"calls": [reported(1), reported(2, **{"from": OTHER_FROM})]})
    (campaign,) = services.client().get(PATH).json["campaigns"]
    assert campaign["came"] == 0, "what Twilio does not know uses no campaign up"

    services.list_reported()

    (campaign,) = services.client().get(PATH).json["campaigns"]
    assert campaign["came"] == 1
    assert services.client().get(f"/api/accounts/{SID}").json["announced"] == 1


def test_a_campaign_may_be_for_every_number(services: Services) -> None:
    (by_null,) = announce(services, **{"from": None})
    until = after(services, DAY)
    (by_absence,) = services.client().post(PATH, json={"calls": 5, "until": until}).json["campaigns"]

    assert by_null["from"] is None
    assert by_absence["from"] is None


def test_each_of_several_numbers_has_a_campaign(services: Services) -> None:
    created = announce(services, **{"from": [FROM, OTHER_FROM, FROM]})

    assert [campaign["from"] for campaign in created] == ["+1555***11", "+1555***33"]
    assert len({campaign["id"] for campaign in created}) == 2


def test_people_hear_of_it(services: Services) -> None:
    (created,) = announce(services)
    services.client().delete(f"{PATH}/{created['id']}")

    begun, ended = (notice.text for notice in services.notices.posted)
    assert f"campaign {created['id']} announced by the operator" in begun
    assert f"campaign {created['id']} ended" in ended
    assert FROM not in begun + ended


def test_a_campaign_stands_though_nobody_could_be_told(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    services.notices.is_down = True

    announce(services)

    assert "nobody was told" in caplog.text
    assert len(services.client().get(PATH).json["campaigns"]) == 1


def test_on_loopback_it_was_announced_by_loopback(services: Services) -> None:
    services.api_keys = ()

    (created,) = announce(services)

    assert created["announced_by"] == "loopback"


@pytest.mark.parametrize("address", ["jack", "client:joey?a=b", "12345", "whatsapp:+15550001111", "Anonymous"])
def test_whoever_may_call_can_be_announced(services: Services, address: str) -> None:
    body = {"calls": 5, "from": address, "until": after(services, DAY)}

    assert services.client().post(PATH, json=body).status_code == 201


WRONG: dict[str, list[object]] = {
    "calls": [0, -1, 1_000_001, "5", 5.0, True, None],
    "from": [
        *(
            "",
            "555-000-1111",
            "client:\x00",
            "client:a\x00b",
            "sip:\x7f",
            "jack\n",
            "+1555*",
            "*",
            "+1 555",
            15550001111,
            [],
            [None],
            {},
            "+",
        ),
        *([FROM, "+1555*"], [FROM] * 101),
    ],
    "until": [
        *("", "tomorrow", "2026-11-21T18:00:00", 4_000_000_000, None, [], "2999-01-01T00:00:00Z"),
        "2020-01-01T00:00:00Z",
    ],
}


@pytest.mark.parametrize(("field", "given"), [(field, bad) for field, all_bad in WRONG.items() for bad in all_bad])
def test_a_wrong_campaign_is_refused_with_the_field(services: Services, field: str, given: object) -> None:
    body = {"calls": 5, "from": FROM, "until": after(services, DAY), field: given}

    answer = services.client().post(PATH, json=body)

    assert (answer.status_code, answer.json["code"]) == (400, "bad_campaign")
    assert [problem["field"] for problem in answer.json["errors"]] == [field]
    assert services.campaigns.campaigns(SID) == []


@pytest.mark.parametrize("missing", ["calls", "until"])
def test_what_a_campaign_needs(services: Services, missing: str) -> None:
    body = {"calls": 5, "until": after(services, DAY)}
    del body[missing]

    problems = services.client().post(PATH, json=body).json["errors"]

    assert [problem["field"] for problem in problems] == [missing]


def test_an_unknown_field_is_refused_and_not_repeated(services: Services) -> None:
    body = {"calls": 5, "until": after(services, DAY), "form": FROM}

    answer = services.client().post(PATH, json=body)

    assert answer.json["errors"] == [{"message": "should have no other fields than calls, from, until"}]
    assert "form" not in answer.text


@pytest.mark.parametrize(
    ("span", "is_good"),
    [
        (timedelta(0), False),
        (timedelta(seconds=1), True),
        (7 * DAY, True),
        (7 * DAY + timedelta(seconds=1), False),
    ],
)
def test_how_long_a_campaign_may_last(services: Services, span: timedelta, is_good: bool) -> None:
    services.clock.ms = services.clock.ms // 1000 * 1000

    answer = services.client().post(PATH, json={"calls": 5, "until": after(services, span)})

    assert answer.status_code == (201 if is_good else 400)


def test_a_large_body_is_refused(services: Services) -> None:
    answer = services.client().post(PATH, json={"calls": 5, "until": "x" * 17_000})

    assert (answer.status_code, answer.json["code"]) == (413, "too_large")


def test_a_campaign_is_ended_once(services: Services) -> None:
    (created,) = announce(services)
    path = f"{PATH}/{created['id']}"

    ended = services.client().delete(path)

    assert (ended.status_code, ended.json) == (200, {**created, "open": False})
    assert [campaign["open"] for campaign in services.client().get(PATH).json["campaigns"]] == [False]
    again = services.client().delete(path)
    assert (again.status_code, again.json) == (200, ended.json)


def test_a_wrong_announcement_can_be_undone_for_calls_that_are_queued(services: Services) -> None:
    (created,) = announce(services, **{"from": None})
    services.client().post("/api/reports", json={"calls": [reported(n) for n in range(3)]})
    services.list_reported()
    announced = services.client().get(f"/api/accounts/{SID}").json
    assert (announced["announced"], announced["queue_depth"]) == (3, 3)

    ended = services.client().delete(f"{PATH}/{created['id']}?release=true")

    assert (ended.status_code, ended.json["released"]) == (200, {"calls": 3, "left": 0, "shared_with": []})
    released = services.client().get(f"/api/accounts/{SID}").json
    assert (released["announced"], released["queue_depth"]) == (0, 3)
    assert len(services.tracker.head(SID, 10)) == 3


def test_other_campaigns_calls_are_left_alone(services: Services) -> None:
    (shop,), (anybody,) = announce(services), announce(services, **{"from": None})
    calls = [reported(n, **{"from": FROM if n < 6 else OTHER_FROM}) for n in range(8)]
    services.client().post("/api/reports", json={"calls": calls})
    services.list_reported()

    released = services.client().delete(f"{PATH}/{anybody['id']}?release=true").json["released"]

    assert released == {"calls": 2, "left": 6, "shared_with": [shop["id"]]}
    assert sorted(services.tracker.head(SID, 10)) == [call["sid"] for call in calls[6:]]
    assert services.client().get(f"/api/accounts/{SID}").json["announced"] == 6
    more = services.client().delete(f"{PATH}/{anybody['id']}?release=true&shared=true").json["released"]
    assert more == {"calls": 6, "left": 0, "shared_with": []}


def test_a_campaign_is_ended_without_a_word_of_release(services: Services) -> None:
    (created,) = announce(services)
    services.client().post("/api/reports", json={"calls": [reported(1)]})
    services.list_reported()

    assert "released" not in services.client().delete(f"{PATH}/{created['id']}?shared=true").json
    assert services.client().get(f"/api/accounts/{SID}").json["announced"] == 1


def test_there_is_an_end_to_open_campaigns(services: Services) -> None:
    for _ in range(MAX_OPEN_CAMPAIGNS):
        announce(services)

    answer = services.client().post(PATH, json={"calls": 5, "until": after(services, DAY)})

    assert (answer.status_code, answer.json["code"]) == (409, "too_many_campaigns")


def test_an_announcement_is_all_or_nothing(services: Services, document: dict[str, Any]) -> None:
    for _ in range(3):
        announce(services)
    numbers = [f"+1555010{n:04d}" for n in range(MAX_OPEN_CAMPAIGNS - 2)]

    refused = services.client().post(PATH, json={"calls": 1, "until": after(services, DAY), "from": numbers})
    assert (refused.status_code, refused.json["code"]) == (409, "too_many_campaigns")
    assert "none of them was announced" in refused.json["message"]
    assert len(services.client().get(PATH).json["campaigns"]) == 3

    taken = services.client().post(PATH, json={"calls": 1, "until": after(services, DAY), "from": numbers[1:]})
    assert taken.status_code == 201
    assert len(services.client().get(PATH).json["campaigns"]) == MAX_OPEN_CAMPAIGNS
    described = document["paths"]["/api/accounts/{sid}/campaigns"]["post"]
    assert "409" in described["responses"]
    ending = document["paths"]["/api/accounts/{sid}/campaigns/{campaign_id}"]["delete"]
    assert [parameter["name"] for parameter in ending["parameters"]] == ["sid", "campaign_id", "release", "shared"]


@pytest.mark.parametrize("campaign_id", ["0" * 8, "x", "%0A", FROM])
def test_an_unknown_campaign_is_not_found(services: Services, campaign_id: str) -> None:
    answer = services.client().delete(f"{PATH}/{campaign_id}")

    assert (answer.status_code, answer.json["code"]) == (404, "unknown_campaign")


@pytest.mark.parametrize(("method", "path"), [("POST", ""), ("DELETE", f"/{'0' * 8}")])
def test_an_unknown_account_has_no_campaigns(services: Services, method: str, path: str) -> None:
    answer = services.client().open(f"/api/accounts/{UNKNOWN_SID}/campaigns{path}", method=method)

    assert (answer.status_code, answer.json["code"]) == (404, "unknown_account")


def test_without_redis_a_campaign_is_not_to_be_repeated_blindly(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StoreUnavailable("no answer")

    monkeypatch.setattr(services.campaigns, "announce", fail)

    answer = services.client().post(PATH, json={"calls": 5, "until": after(services, DAY)})

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert "before you send them again" in answer.json["message"]
