"""Accounts from the environment and from the file."""

from pathlib import Path

import pytest

from callguard.config.accounts import SharedKey, SignatureAlgorithm
from callguard.config.settings import load_settings
from tests.config.given import ONLY_URL, OTHER_SID, OTHER_TOKEN, RIGHT, SID, TOKEN, problem, problems, with_file


def _without(*names: str) -> dict[str, str]:
    return {name: value for name, value in RIGHT.items() if name not in names}


def test_tokens_are_read_in_their_order_for_rotation() -> None:
    settings = load_settings({**RIGHT, "TWILIO_AUTH_TOKEN": f"{TOKEN}, {OTHER_TOKEN},{TOKEN}"})

    assert settings.accounts[SID].auth_tokens == (TOKEN, OTHER_TOKEN)


def test_accounts_of_environment_and_file_stand_side_by_side(tmp_path: Path) -> None:
    toml = f'[[accounts]]\nsid = "{OTHER_SID}"\nauth_tokens = ["{OTHER_TOKEN}", "{TOKEN}"]\n'

    settings = load_settings(with_file(tmp_path, toml))

    assert list(settings.accounts) == [SID, OTHER_SID]
    assert settings.accounts[OTHER_SID].auth_tokens == (OTHER_TOKEN, TOKEN)


def test_environment_and_table_of_one_account_merge(tmp_path: Path) -> None:
    toml = f'[[accounts]]\nsid = "{SID}"\nauth_token = "{OTHER_TOKEN}"\ncps = 7'

    account = load_settings(with_file(tmp_path, toml)).accounts[SID]

    assert account.auth_tokens == (TOKEN, OTHER_TOKEN)
    assert account.policy.cps == 7


def test_the_file_needs_no_secrets(tmp_path: Path) -> None:
    toml = f"""
        [[accounts]]
        sid = "{SID}"
        auth_token_env = "CALLGUARD_TOKENS_OF_ONE"
        shared_keys = [
            {{ id = "KY1", secret_env = "KEY_SECRET" }},
            {{ id = "KY2", secret = "in the file"}},
        ]
    """.replace("in the file", "in-the-file")
    secrets = {"CALLGUARD_TOKENS_OF_ONE": f"{TOKEN},{OTHER_TOKEN}", "KEY_SECRET": "from-elsewhere"}

    account = load_settings({**with_file(tmp_path, toml, ONLY_URL), **secrets}).accounts[SID]

    assert account.auth_tokens == (TOKEN, OTHER_TOKEN)
    assert account.shared_keys == (SharedKey("KY1", "from-elsewhere"), SharedKey("KY2", "in-the-file"))


def test_a_shared_key_may_use_the_older_algorithm(tmp_path: Path) -> None:
    toml = f'[[accounts]]\nsid = "{SID}"\nshared_keys = [{{id="K", secret="12345678", algorithm="HMAC_SHA1"}}]'

    [key] = load_settings(with_file(tmp_path, toml)).accounts[SID].shared_keys

    assert key.algorithm is SignatureAlgorithm.SHA1


@pytest.mark.parametrize(
    ("environ", "wrong"),
    [
        pytest.param(ONLY_URL, "TWILIO_AUTH_TOKEN: no account is configured", id="nothing"),
        pytest.param(_without("TWILIO_AUTH_TOKEN"), "TWILIO_AUTH_TOKEN: the account", id="no token"),
        pytest.param({**RIGHT, "TWILIO_AUTH_TOKEN": "  "}, "TWILIO_AUTH_TOKEN: the account", id="a blank token"),
        pytest.param(
            {**RIGHT, "TWILIO_AUTH_TOKEN": f"{TOKEN},"}, "TWILIO_AUTH_TOKEN: is empty", id="an empty token"
        ),
        pytest.param(
            {**RIGHT, "TWILIO_AUTH_TOKEN": "short"}, "TWILIO_AUTH_TOKEN: should be 8", id="a short token"
        ),
        pytest.param(
            {**RIGHT, "TWILIO_AUTH_TOKEN": "1234 5678"}, "TWILIO_AUTH_TOKEN: should be 8", id="a space in it"
        ),
        pytest.param(
            _without("TWILIO_ACCOUNT_SID"), "TWILIO_ACCOUNT_SID: is not set, but", id="a token of nobody"
        ),
        pytest.param(
            {**RIGHT, "TWILIO_ACCOUNT_SID": "AC12"}, "TWILIO_ACCOUNT_SID: should be AC and 32", id="short SID"
        ),
        pytest.param(
            {**RIGHT, "TWILIO_ACCOUNT_SID": "AC" + "F" * 32},
            f"Write for example TWILIO_ACCOUNT_SID=AC{'f' * 32}",
            id="capitals are answered with what to write",
        ),
    ],
)
def test_what_may_not_be_in_the_environment(environ: dict[str, str], wrong: str) -> None:
    assert wrong in problem(environ)


ONE = f'sid = "{SID}"\nauth_token = "{TOKEN}"\n'


@pytest.mark.parametrize(
    ("table", "place", "wrong"),
    [
        pytest.param(f'auth_token = "{TOKEN}"', "accounts[0].sid", "is empty or missing", id="no SID"),
        pytest.param("sid = 5", "accounts[0].sid", "should be AC and 32", id="a number for a SID"),
        pytest.param(f'sid = "{SID}"', "accounts[0].auth_token", "has no auth token", id="no token"),
        pytest.param(f'sid = "{SID}"\nauth_token = ""', "accounts[0].auth_token", "is empty", id="an empty token"),
        pytest.param(
            f'sid = "{SID}"\nauth_token = "a,b5678901"', "accounts[0].auth_token", "commas", id="a comma"
        ),
        pytest.param(
            f'sid = "{SID}"\nauth_token = 12345678', "accounts[0].auth_token", "in quotes", id="a number"
        ),
        pytest.param(
            f'sid = "{SID}"\nauth_tokens = []', "accounts[0].auth_tokens", "one or more", id="an empty list"
        ),
        pytest.param(f'sid = "{SID}"\nauth_tokens = "x"', "accounts[0].auth_tokens", "a list", id="no list"),
        pytest.param(
            f'sid = "{SID}"\nauth_token_env = "NOT_SET"',
            "accounts[0].auth_token_env",
            "NOT_SET, which is not",
            id="a variable that is not set",
        ),
        pytest.param(
            ONE + 'auth_token_env = "HOME"', "accounts[0].auth_token_env", "beside auth_token", id="two ways"
        ),
        pytest.param(ONE + "cpss = 5", "accounts[0].cpss", "did you mean cps?", id="an unknown key"),
        pytest.param(
            ONE + 'shared_keys = "x"', "accounts[0].shared_keys", "list of tables", id="no tables of keys"
        ),
        pytest.param(
            ONE + 'shared_keys = [{secret = "12345678"}]', "accounts[0].shared_keys[0].id", "the id", id="no id"
        ),
        pytest.param(
            ONE + 'shared_keys = [{id = "K"}]', "accounts[0].shared_keys[0]", "secret_env", id="no secret"
        ),
        pytest.param(
            ONE + 'shared_keys = [{id = "K", secret = "1"}]',
            "accounts[0].shared_keys[0].secret",
            "8 or more",
            id="a short secret",
        ),
        pytest.param(
            ONE + 'shared_keys = [{id = "K", secret_env = "NOT_SET"}]',
            "accounts[0].shared_keys[0].secret_env",
            "which is not set",
            id="a secret's variable that is not set",
        ),
        pytest.param(
            ONE + 'shared_keys = [{id = "K", secret = "12345678", algorithm = "MD5"}]',
            "accounts[0].shared_keys[0].algorithm",
            "HMAC_SHA256",
            id="another algorithm",
        ),
        pytest.param(
            ONE + 'shared_keys = [{id = "K", secret = "12345678", secrets = 1}]',
            "accounts[0].shared_keys[0].secrets",
            "did you mean secret?",
            id="an unknown key of a key",
        ),
        pytest.param(
            ONE + 'shared_keys = [{id = "K", secret = "12345678"}, {id = "K", secret = "87654321"}]',
            "accounts[0].shared_keys",
            "more than one key",
            id="one id twice",
        ),
        pytest.param(
            f"{ONE}[[accounts]]\n{ONE}", "accounts[1].sid", "has a table already", id="one account twice"
        ),
    ],
)
def test_what_may_not_be_in_a_table(table: str, place: str, wrong: str, tmp_path: Path) -> None:
    line = problem(with_file(tmp_path, f"[[accounts]]\n{table}", ONLY_URL))

    assert f"callguard.toml: {place}: " in line
    assert wrong in line


def test_the_account_of_the_environment_may_not_have_two_tables(tmp_path: Path) -> None:
    line = problem(with_file(tmp_path, f'[[accounts]]\nsid = "{SID}"\n' * 2))

    assert "accounts[1].sid" in line
    assert "accounts[0].sid" in line


def test_all_that_is_wrong_with_a_table_is_told_at_once(tmp_path: Path) -> None:
    toml = '[[accounts]]\nsid = "AC1"\nauth_token = "x"\ncps = 0\nnonsense = 1\nshared_keys = [{id = "K"}]'

    assert len(problems(with_file(tmp_path, toml))) == 5
