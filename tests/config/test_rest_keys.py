"""API keys serve REST; the auth token still checks signatures."""

from pathlib import Path

import pytest

from callguard.config.effective import effective
from callguard.config.errors import ConfigurationError
from callguard.config.settings import load_settings

SID, TOKEN = "AC" + "0" * 31 + "1", "a" * 32
KEY, SECRET = "SK" + "b" * 32, "c" * 32
BASE = {"TWILIO_ACCOUNT_SID": SID, "TWILIO_AUTH_TOKEN": TOKEN, "CALLGUARD_PUBLIC_URL": "https://g.example.com"}
PAIR = {"TWILIO_API_KEY": KEY, "TWILIO_API_SECRET": SECRET}


def test_they_are_read_and_kept_secret() -> None:
    settings = load_settings({**BASE, **PAIR})

    account = settings.accounts[SID]
    assert account.rest_credentials == (KEY, SECRET)
    assert account.auth_tokens == (TOKEN,)
    assert SECRET in settings.secrets()
    assert SECRET not in repr(settings)
    assert all(SECRET not in value for _, value in effective(settings))


def test_without_them_the_token_serves() -> None:
    assert load_settings(BASE).accounts[SID].rest_credentials == (SID, TOKEN)


@pytest.mark.parametrize(
    ("given", "name", "what"),
    [
        ({"TWILIO_API_KEY": KEY}, "TWILIO_API_SECRET", "is not set"),
        ({"TWILIO_API_SECRET": SECRET}, "TWILIO_API_KEY", "is not set"),
        ({**PAIR, "TWILIO_API_KEY": SECRET}, "TWILIO_API_KEY", "SK and 32"),
        ({**PAIR, "TWILIO_ACCOUNT_SID": KEY}, "TWILIO_ACCOUNT_SID", "TWILIO_API_KEY"),
        ({**PAIR, "TWILIO_AUTH_TOKEN": ""}, "TWILIO_AUTH_TOKEN", "REST only"),
        ({**PAIR, "TWILIO_AUTH_TOKEN": "", "TWILIO_ACCOUNT_SID": ""}, "TWILIO_ACCOUNT_SID", "TWILIO_API_KEY"),
    ],
)
def test_what_is_half_is_refused_by_name(given: dict[str, str], name: str, what: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_settings({**BASE, **given})

    assert f"{name}" in str(refused.value)
    assert what in str(refused.value)
    assert SECRET not in str(refused.value)


def test_a_table_has_its_own_key_and_url(tmp_path: Path) -> None:
    file = tmp_path / "callguard.toml"
    file.write_text(
        f'public_url = "https://g.example.com"\n[[accounts]]\nsid = "{SID}"\nauth_token = "{TOKEN}"\n'
        f'api_key_env = "KEY_OF_IE"\napi_secret_env = "SECRET_OF_IE"\n'
        'twilio_api_url = "https://api.dublin.ie1.twilio.com/"\n'
    )
    given = {"CALLGUARD_CONFIG": str(file), "KEY_OF_IE": KEY, "SECRET_OF_IE": SECRET}

    account = load_settings(given).accounts[SID]

    assert account.rest_credentials == (KEY, SECRET)
    assert account.api_url == "https://api.dublin.ie1.twilio.com"
    with pytest.raises(ConfigurationError, match="SECRET_OF_IE"):
        load_settings({**given, "SECRET_OF_IE": ""})


@pytest.mark.parametrize("url", ["ftp://x", "https://user:pw@api.twilio.com", "api.twilio.com"])
def test_a_wrong_url_of_an_account_is_refused(tmp_path: Path, url: str) -> None:
    file = tmp_path / "callguard.toml"
    file.write_text(f'[[accounts]]\nsid = "{SID}"\nauth_token = "{TOKEN}"\ntwilio_api_url = "{url}"\n')

    with pytest.raises(ConfigurationError, match="twilio_api_url"):
        load_settings({"CALLGUARD_CONFIG": str(file), "CALLGUARD_PUBLIC_URL": "https://g.example.com"})


@pytest.mark.parametrize("name", ["TWILIO_AUTH_TOKEN", "TWILIO_API_SECRET", "CALLGUARD_REDIS_URL"])
def test_a_secret_may_stand_in_a_file(tmp_path: Path, name: str) -> None:
    whole = {**BASE, **PAIR, "CALLGUARD_REDIS_URL": "redis://:pw@localhost/0"}
    file = tmp_path / "secret"
    file.write_text(whole[name] + "\n")
    given = {key: value for key, value in whole.items() if key != name}

    assert load_settings({**given, f"{name}_FILE": str(file)}).secrets() == load_settings(whole).secrets()
    with pytest.raises(ConfigurationError, match=f"{name}_FILE"):
        load_settings({**whole, f"{name}_FILE": str(file)})
    with pytest.raises(ConfigurationError, match=f"{name}_FILE"):
        load_settings({**given, f"{name}_FILE": str(tmp_path / "none")})
    file.write_text("")
    with pytest.raises(ConfigurationError, match=f"{name}_FILE"):
        load_settings({**given, f"{name}_FILE": str(file)})
