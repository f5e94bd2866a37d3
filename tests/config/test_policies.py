"""Policies, from defaults to what one account has of its own."""

from dataclasses import fields, replace
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from callguard.config import policies
from callguard.config.policies import POLICY_KEYS, env_name
from callguard.config.settings import load_settings
from callguard.domain.policy import LiveCalls, Mode, Policy, Rearm, Unqueued
from tests.config.given import RIGHT, SID, problem, problems, with_file

OTHER_VALUES: dict[str, Any] = {
    "mode": Mode.OBSERVE,
    "never_cancel": ("+1555*", "client:ann"),
    "repeat_exempt": ("+1444*", "+15550001111"),
    "unqueued": Unqueued.BLOCK,
    "live_calls": LiveCalls.HANGUP,
    "live_calls_url": "https://twiml.example.com/sorry?why=1#rc=2&rp=all",
    "live_calls_message": "Pardon: that was our computer.",
    "live_calls_queue": "Callers 24-7",
    "hold_queues": True,
    "rearm": Rearm.MANUAL,
    "warn_share": 0.75,
}


def _other_value(key: str) -> Any:
    """A value of the policy key that is allowed and, where it can, differs from the default."""
    return OTHER_VALUES[key] if key in OTHER_VALUES else getattr(Policy(), key) + 1


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, tuple) else str(value.value if isinstance(value, Enum) else value)


def _as_toml(value: Any) -> str:
    if isinstance(value, tuple):
        return str(list(value)).replace("'", '"')
    return f'"{_as_text(value)}"' if isinstance(value, str | Enum) else _as_text(value)


@pytest.mark.parametrize("key", [f.name for f in fields(Policy)])
def test_every_policy_key_is_taken_from_everywhere(key: str, tmp_path: Path) -> None:
    value = _other_value(key)
    expected = replace(Policy(), **{key: value})
    line = f"{key} = {_as_toml(value)}"

    environments = [
        {**RIGHT, env_name(key): _as_text(value)},
        with_file(tmp_path, f"[policy]\n{line}"),
    ]
    for environ in environments:
        settings = load_settings(environ)
        assert settings.policy == expected
        assert settings.accounts[SID].policy == expected

    of_account = load_settings(with_file(tmp_path, f'[[accounts]]\nsid = "{SID}"\n{line}'))
    assert of_account.policy == Policy()
    assert of_account.accounts[SID].policy == expected


def test_the_account_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    toml = f"""
        [policy]
        cps = 2
        spike_rate = 2
        max_backlog = 2
        [[accounts]]
        sid = "{SID}"
        cps = 4
    """
    environ = {**with_file(tmp_path, toml), env_name("cps"): "3", env_name("spike_rate"): "3"}

    settings = load_settings(environ)

    assert settings.policy == Policy(cps=3, spike_rate=3, max_backlog=2)
    assert settings.accounts[SID].policy == Policy(cps=4, spike_rate=3, max_backlog=2)


WRONG = [
    ("cps", "five", 'should be a valid number, not "five"'),
    ("cps", 0, "should be greater than 0"),
    ("cps", 2000, "should be less than or equal to 1000, not"),
    ("cps", "nan", "should be less than or equal to 1000"),
    ("max_backlog", 5.5, "should be a valid integer"),
    ("mode", "obsreve", "should be 'enforce' or 'observe', not \"obsreve\""),
    ("rearm", "never", "should be 'auto' or 'manual'"),
    ("live_calls", "hang", "should be 'leave', 'hangup' or 'redirect', not \"hang\""),
    ("live_calls_url", "twiml.example.com", "should begin with https://"),
    ("live_calls_url", "ftp://example.com/", "should begin with https://"),
    ("live_calls_url", "https:///sorry", "should have a host"),
    ("live_calls_url", "https://me:secret@example.com/", "should have no user name or password"),
    ("live_calls_url", "https://example.com/so sorry", "should hold no spaces"),
    ("live_calls_message", "so sorry " * 112, "should be at most 1000 characters"),
    ("live_calls_queue", "a" * 65, "should be at most 64 letters"),
    ("live_calls_queue", "<Enqueue>", "should be at most 64 letters"),
    ("live_calls_queue", "-callers", "a letter or digit first"),
    ("hold_queues", "maybe", "should be a valid boolean"),
    ("never_cancel", "*", "would spare every call; to cancel nothing, set mode to \"observe\""),
    ("repeat_exempt", "*", "would exempt every number; to be told of none, set repeat_limit to 1000"),
    ("unqueued", "never", "should be 'page', 'block' or 'ignore'"),
    ("never_cancel", "555-123-4567", "should be a number with +"),
    ("never_cancel", "+1 555 1234", "should be a number with +"),
    ("never_cancel", "client:ja\u0085ne", "holds a control character"),
    ("never_cancel", "+1555*1", "with * only at its end"),
    ("never_cancel", "+*", "should be a number with +"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value", "wrong"), WRONG)
def test_what_may_not_be_written(key: str, value: Any, wrong: str, tmp_path: Path) -> None:
    of_environment = problem({**RIGHT, env_name(key): str(value)})
    of_policy = problem(with_file(tmp_path, f"[policy]\n{key} = {_as_toml(value)}"))
    of_account = problem(with_file(tmp_path, f'[[accounts]]\nsid = "{SID}"\n{key} = {_as_toml(value)}'))

    for line, place in (
        (of_environment, env_name(key)),
        (of_policy, f"callguard.toml: policy.{key}"),
        (of_account, f"callguard.toml: accounts[0].{key}"),
    ):
        assert place in line
        assert wrong in line
    assert f"Write for example {env_name(key)}=" in of_environment
    assert f"Write for example {key} = " in of_account


@pytest.mark.parametrize("value", ["true", "[1]", "1979-05-27", "{ a = 1 }"])
def test_a_number_is_not_something_else(value: str, tmp_path: Path) -> None:
    assert "callguard.toml: policy.cps: should " in problem(with_file(tmp_path, f"[policy]\ncps = {value}"))


def test_each_wrong_number_of_a_list_is_told() -> None:
    lines = problems({**RIGHT, env_name("never_cancel"): "+1555*,*,+15551230000,555-1234"})

    assert [line.partition(": ")[0] for line in lines] == [
        f"{env_name('never_cancel')}, entry 2",
        f"{env_name('never_cancel')}, entry 4",
    ]


@pytest.mark.parametrize(
    "entry",
    [
        *(
            "+15551230000",
            "+1555*",
            "+1*",
            "client:ann",
            "client:team-*",
            "sip:a@example.com",
            "sip:*",
            "sips:a@e.com",
        ),
        *(
            "911",
            "+911",
            "933",
            "112",
            "12345",
            "15551230000",
            "266696687",
            "jack",
            "sales.desk_2",
            "jack*",
            "55*",
        ),
        *("sip:a@example.com:5061;transport=tls?X-Id=7", "client:joey?a=b", "whatsapp:+15551230000", "Anonymous"),
        *("RESTRICTED", "tel:+15551230000", "sip:" + "a" * 1500 + "@example.com"),
    ],
)
def test_who_may_be_protected(entry: str) -> None:
    assert load_settings({**RIGHT, env_name("never_cancel"): entry}).policy.never_cancel == (entry,)


@pytest.mark.parametrize("key", ["cps", "live_calls", "live_calls_queue"])
def test_a_switch_is_for_what_can_be_switched(key: str, tmp_path: Path) -> None:
    assert f"policy.{key}: should " in problem(with_file(tmp_path, f"[policy]\n{key} = true"))


def test_no_password_is_shown_of_a_url() -> None:
    given = {**RIGHT, env_name("live_calls_url"): "https://me:s3cr3t-pass@example.com/"}

    assert "s3cr3t-pass" not in problem(given)


@pytest.mark.parametrize("key", POLICY_KEYS)
def test_the_example_of_an_error_is_itself_right(key: str) -> None:
    value = policies.example(key)

    load_settings({**RIGHT, env_name(key): _as_text(value)})


def test_a_default_that_is_wrong_is_told_once_for_many_accounts(tmp_path: Path) -> None:
    tables = [f'[[accounts]]\nsid = "AC{n:032x}"\nauth_token = "12345678"\n' for n in range(3)]

    assert "policy.cps" in problem(with_file(tmp_path, "[policy]\ncps = 0\n" + "".join(tables)))
