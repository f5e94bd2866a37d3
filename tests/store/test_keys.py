"""Every key's name, literally: other versions of ours, and people who look into Redis, go by them."""

from inspect import isfunction

import pytest

from callguard.store import keys
from callguard.store.keys import AccountKeys, told
from tests.conftest import ACCOUNT_SID

OF_GUARD = {
    "HEARTBEATS": "callguard:heartbeats",
    "PROCESSES": "callguard:processes",
    "WATCHERS": "callguard:{watch}:watchers",
    "WATCHED": "callguard:{watch}:accounts",
    "WATCHERS_SHORT": "callguard:{watch}:short",
    "NEWS": "callguard:{news}",
    "WRITABLE": "callguard:writable",
    "WRITTEN": "callguard:written",
    "NOTICES": "callguard:{notices}:outbox",
    "NOTICES_TAKEN": "callguard:{notices}:taken",
    "NOTICE_RESULTS": "callguard:{notices}:results",
    "API_REFUSED": "callguard:api_refused",
    "RELAY": "callguard:{notices}:relay",
}
OF_ACCOUNT = {
    name: name
    for name in (
        *("state", "totals", "series", "queue", "announced", "unconfirmed", "senders"),
        *("campaigns", "poll", "incident", "ledger", "incidents", "lease", "concurrency", "outages", "hold"),
    )
} | {
    "protected": "spared",
    "out_of_scope": "outside",
    "cancel_run": "clearing",
    "cancel_run_left": "clearing:left",
    "cancel_run_outcomes": "clearing:outcomes",
}
OF_ONE_THING = {
    "call": "call:x",
    "live": "live:x",
    "destination": "to:x",
    "closed_incident": "incident:x",
    "closed_ledger": "ledger:x",
}


def test_the_tables_are_whole() -> None:
    public = {name for name in vars(AccountKeys) if not name.startswith("_")}

    assert {name for name in vars(keys) if name.isupper()} == OF_GUARD.keys()
    assert {name for name, thing in vars(keys).items() if isfunction(thing)} == {"told", "dataclass"}
    assert public == OF_ACCOUNT.keys() | OF_ONE_THING.keys() | {"account_sid", "of_cancel_run"}


@pytest.mark.parametrize(("name", "key"), OF_GUARD.items())
def test_the_guards_keys_are_literally_these(name: str, key: str) -> None:
    assert getattr(keys, name) == key


@pytest.mark.parametrize(("name", "key"), OF_ACCOUNT.items())
def test_an_accounts_keys_are_literally_these(name: str, key: str) -> None:
    assert getattr(AccountKeys(ACCOUNT_SID), name) == f"callguard:{{{ACCOUNT_SID}}}:{key}"


@pytest.mark.parametrize(("name", "key"), OF_ONE_THING.items())
def test_keys_of_one_thing_are_literally_these(name: str, key: str) -> None:
    assert getattr(AccountKeys(ACCOUNT_SID), name)("x") == f"callguard:{{{ACCOUNT_SID}}}:{key}"


def test_keys_that_are_made_of_others_are_literally_these() -> None:
    of_account = AccountKeys(ACCOUNT_SID)

    assert of_account.of_cancel_run == (
        of_account.cancel_run,
        of_account.cancel_run_left,
        of_account.cancel_run_outcomes,
    )
    assert told(ACCOUNT_SID, "x") == f"callguard:{{notices}}:told:{ACCOUNT_SID}:x"
