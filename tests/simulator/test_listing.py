"""Pages of calls: filters, order, tokens, lag; in the pure model under an invented clock."""

from typing import Any

import pytest

from callguard.simulator.account import Account
from callguard.simulator.calls import CallStatus, NewCall
from callguard.simulator.config import AccountConfig, Behaviour, ListOrder
from callguard.simulator.dates import rfc2822
from callguard.simulator.errors import ApiError
from callguard.simulator.listing import read_page_request, select_page

NOW = 1_571_418_000.0  # Fri, 18 Oct 2019 17:00:00 UTC
ANSWERED = Behaviour(ring_seconds=10, talk_seconds=100, answered=1, busy=0, no_answer=0, failed=0)


def account(calls: int, **config: Any) -> Account:
    """An account with calls of every second number, one created each second, of which the first is dialled."""
    config = {"cps": 0.001, "behaviour": ANSWERED, **config}
    model = Account(AccountConfig(**config), "seed", lambda _: None)
    for number in range(calls):
        model.create(NewCall(f"+1500555000{number % 2}", "+15005550009"), NOW + number)
    model.advance(NOW)
    return model


def pages(model: Account, now: float, **query: str) -> list[list[int]]:
    """All pages, followed by their tokens, as the calls' numbers."""
    found = []
    while True:
        page = select_page(model, read_page_request(query), now)
        found.append([call.number for call in page.calls])
        if not page.more_after:
            return found
        query |= {"PageToken": f"PA{page.calls[-1].sid}", "Page": str(len(found))}


LATER = NOW + 9  # within the ringing of the first call


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, [[5, 4, 3, 2, 1, 0]]),
        ({"PageSize": "4"}, [[5, 4, 3, 2], [1, 0]]),
        ({"PageSize": "3"}, [[5, 4, 3], [2, 1, 0]]),
        ({"PageSize": "5000"}, [[5, 4, 3, 2, 1, 0]]),
        ({"Status": "queued", "PageSize": "2"}, [[5, 4], [3, 2], [1]]),
        ({"Status": "ringing"}, [[0]]),
        ({"Status": "completed"}, [[]]),
        ({"To": "+15005550001"}, [[5, 3, 1]]),
        ({"To": "+15005550001", "From": "+15005550009", "Status": "queued"}, [[5, 3, 1]]),
        ({"From": "+15005550001"}, [[]]),
        ({"ParentCallSid": "CA" + "0" * 32}, [[]]),
        ({"StartTime": "2019-10-18"}, [[0]]),
        ({"StartTime": "2019-10-19"}, [[]]),
        ({"StartTime<": "2019-10-18T17:00:00Z"}, [[]]),
        ({"StartTime<": "2019-10-18T17:00:01Z"}, [[0]]),
        ({"StartTime>": "2019-10-18T17:00:00Z"}, [[0]]),
        ({"StartTime>": "2019-10-18T17:00:01Z"}, [[]]),
        ({"StartTime>": "06/11/2019 22:05:25 MST"}, [[]]),
        ({"EndTime<": "2030-01-01"}, [[]]),
    ],
)
def test_filters_and_pages(query: dict[str, str], found: list[list[int]]) -> None:
    assert pages(account(6), LATER, **query) == found


def test_an_ended_call_is_found_by_its_end() -> None:
    model = account(2)
    model.advance(NOW + 200)

    assert pages(model, NOW + 200, EndTime="2019-10-18") == [[0]]
    assert pages(model, NOW + 200, Status="completed") == [[0]]


def test_forgotten_calls_are_not_shown() -> None:
    model = account(6, keep_ended=1)
    for call in list(model.calls.values())[2:5]:
        model.end(call, CallStatus.CANCELED, LATER)

    assert pages(model, LATER) == [[5, 4, 1, 0]]
    assert pages(model, LATER, Status="canceled") == [[4]]


def test_oldest_first() -> None:
    assert pages(account(6, list_order=ListOrder.OLDEST), LATER, PageSize="4") == [[0, 1, 2, 3], [4, 5]]


@pytest.mark.parametrize("order", list(ListOrder))
def test_every_order_shows_each_call_once(order: ListOrder) -> None:
    model = account(50, list_order=order)

    found = pages(model, NOW + 60, PageSize="7", Status="queued")

    assert sorted(number for page in found for number in page) == list(range(1, 50))
    assert [len(page) for page in found] == [7] * 7


def test_shuffled_is_neither_order() -> None:
    found = pages(account(50, list_order=ListOrder.SHUFFLED), NOW + 60)[0]

    assert found not in (sorted(found), sorted(found, reverse=True))


@pytest.mark.parametrize("order", list(ListOrder))
def test_a_page_back_is_the_page_before(order: ListOrder) -> None:
    model = account(10, list_order=order)
    first = select_page(model, read_page_request({"PageSize": "4"}), NOW + 60)
    token = f"PA{first.calls[-1].sid}"
    second = select_page(model, read_page_request({"PageSize": "4", "Page": "1", "PageToken": token}), NOW + 60)

    token = f"PB{second.calls[0].sid}"
    back = select_page(model, read_page_request({"PageSize": "4", "PageToken": token}), NOW + 60)

    assert back.calls == first.calls
    assert (first.more_before, second.more_before, back.more_before) == (False, True, False)


@pytest.mark.parametrize("order", list(ListOrder))
def test_cancelling_while_paging_neither_skips_nor_repeats(order: ListOrder) -> None:
    model = account(1000, list_order=order, cps=0.02)
    now, query, seen = NOW + 1000, {"PageSize": "90"}, []
    while True:
        page = select_page(model, read_page_request(query | {"Status": "queued"}), now)
        seen += [call.number for call in page.calls]
        for call in page.calls:
            model.end(call, CallStatus.CANCELED, now)
        if not page.more_after:
            break
        query |= {"PageToken": f"PA{page.calls[-1].sid}", "Page": "1"}

    assert sorted(seen) == list(range(1, 1000))


def test_calls_created_while_paging_do_not_shift_the_pages() -> None:
    model = account(6)
    first = select_page(model, read_page_request({"PageSize": "3"}), LATER)
    model.create(NewCall("+15005550001", "+15005550009"), LATER)

    query = {"PageSize": "3", "Page": "1", "PageToken": f"PA{first.calls[-1].sid}"}
    second = select_page(model, read_page_request(query), LATER)

    assert [call.number for call in second.calls] == [2, 1, 0]


def test_a_lagging_list_shows_what_was() -> None:
    model = account(6, list_lag=30)  # the last call was created at second 5
    model.advance(NOW + 40)
    for call in list(model.calls.values())[1:]:
        model.end(call, CallStatus.CANCELED, NOW + 40)

    assert pages(model, NOW + 33, Status="queued") == [[3, 2, 1]]
    assert pages(model, NOW + 60, Status="queued") == [[5, 4, 3, 2, 1]]
    assert pages(model, NOW + 60, Status="canceled") == [[]]
    assert pages(model, NOW + 70, Status="queued") == [[]]
    assert pages(model, NOW + 70, Status="canceled") == [[5, 4, 3, 2, 1]]
    assert pages(model, NOW + 39, Status="ringing") == [[0]]
    assert pages(model, NOW + 41, Status="in-progress") == [[0]]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"Page": "1"}, 70002),
        ({"Page": "x"}, 20001),
        ({"PageSize": "0"}, 20001),
        ({"PageSize": "-5"}, 20001),
        ({"PageToken": "nonsense"}, 20001),
        ({"PageToken": "PACA" + "0" * 32}, 20001),
        ({"Status": "initiated"}, 20001),
    ],
)
def test_what_means_nothing_is_refused(query: dict[str, str], code: int) -> None:
    with pytest.raises(ApiError) as refused:
        select_page(account(1), read_page_request(query), NOW)

    assert (refused.value.http, refused.value.code) == (400, code)


def test_dates_are_written_as_twilio_writes_them() -> None:
    assert rfc2822(NOW + 0.9) == "Fri, 18 Oct 2019 17:00:00 +0000"
