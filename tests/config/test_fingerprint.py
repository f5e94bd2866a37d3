"""What processes may tell of their settings."""

import subprocess
import sys
from pathlib import Path

import pytest

from callguard import __version__
from callguard.config.fingerprint import OF_ONE_MACHINE, fingerprint
from callguard.config.policies import POLICY_KEYS
from callguard.config.settings import load_settings, setting_keys
from callguard.domain.processes import Fingerprint

GIVEN = {
    "TWILIO_ACCOUNT_SID": "AC" + "1" * 32,
    "TWILIO_AUTH_TOKEN": "a" * 32,
    "CALLGUARD_PUBLIC_URL": "https://guard.example.com",
    "CALLGUARD_METRICS_TOKEN": "weak-one",
    "CALLGUARD_POLICY__NEVER_CANCEL": "+15550001111",
}
OTHERWISE = {
    "public_url": "https://other.example.com",
    "redis_url": "redis://other:6379",
    "queue_redis_url": "redis://other:6379",
    "twilio_api_url": "https://api.example.com",
    "api_key": "shop:viewer:a-long-random-key",
    "metrics_token": "another-token",
    "notify_urls": "https://chat.example.com/hook",
    "data_dir": "/var/lib/other",
    "log_level": "DEBUG",
}


def of(**more: str) -> Fingerprint:
    return fingerprint(load_settings({**GIVEN, **more}))


def differing(**more: str) -> tuple[str, ...]:
    return of().differing(of(**more))


def test_the_same_settings_tell_the_same_however_they_are_written(tmp_path: Path) -> None:
    file = tmp_path / "callguard.toml"
    file.write_text(
        'public_url = "https://guard.example.com"\nmetrics_token = "weak-one"\n'
        '[policy]\nnever_cancel = ["+15550001111"]\n'
    )
    in_file = {"CALLGUARD_CONFIG": str(file)} | {k: v for k, v in GIVEN.items() if k.startswith("TWILIO")}

    assert fingerprint(load_settings(in_file)) == of()
    assert of().version == __version__


def test_they_tell_the_same_in_another_process() -> None:
    """Hashes of strings differ from process to process; these digests must not."""
    program = (
        "from callguard.config.fingerprint import fingerprint\n"
        "from callguard.config.settings import load_settings\n"
        f"print(dict(fingerprint(load_settings({GIVEN!r})).settings))"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONHASHSEED": "7"}, capture_output=True, text=True, check=True
    )

    assert told.stdout.strip() == str(dict(of().settings))


@pytest.mark.parametrize("key", [key for key in setting_keys() if key in OTHERWISE])
def test_another_value_is_told_by_the_name_of_its_setting(key: str) -> None:
    names = differing(**{f"CALLGUARD_{key.upper()}": OTHERWISE[key]})

    assert names == (() if key in OF_ONE_MACHINE else (key,))


@pytest.mark.parametrize(("key", "value"), [("mode", "observe"), ("cps", "7"), ("never_cancel", "+15550002222")])
def test_another_policy_is_told(key: str, value: str) -> None:
    assert key in POLICY_KEYS
    assert differing(**{f"CALLGUARD_POLICY__{key.upper()}": value}) == ("policy",)


def test_the_policy_of_one_account_counts(tmp_path: Path) -> None:
    file = tmp_path / "callguard.toml"
    file.write_text(f'[[accounts]]\nsid = "{GIVEN["TWILIO_ACCOUNT_SID"]}"\nmode = "observe"\n')

    assert differing(CALLGUARD_CONFIG=str(file)) == ("policy",)


def test_with_other_accounts_or_tokens_that_alone_is_told() -> None:
    assert differing(TWILIO_AUTH_TOKEN="b" * 32) == ("accounts",)
    assert differing(TWILIO_AUTH_TOKEN="b" * 32 + "," + "a" * 32) == ("accounts",)
    assert differing(TWILIO_ACCOUNT_SID="AC" + "2" * 32, CALLGUARD_POLICY__CPS="9") == ("accounts",)


def test_another_version_is_told_alone() -> None:
    assert of().differing(Fingerprint("9.9.9", {"policy": "x"})) == ("version",)


def test_no_secret_can_be_found_by_trying() -> None:
    """Whoever knows every setting but the tokens still cannot make one digest: it is keyed with them."""
    ours, others = of().settings, of(TWILIO_AUTH_TOKEN="b" * 32).settings

    assert ours.keys() == others.keys()
    assert not set(ours.values()) & set(others.values())
    text = repr(ours)
    assert not [secret for secret in ("weak-one", "a" * 32, "5550001111", "guard.example") if secret in text]
