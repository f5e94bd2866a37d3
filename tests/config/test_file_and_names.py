"""The file as a file, and names that are no settings."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callguard.config.environment import ELSEWHERE
from callguard.config.errors import ConfigurationError
from callguard.config.policies import POLICY_KEYS
from callguard.config.settings import load_settings, setting_keys
from tests.config.given import ONLY_URL, RIGHT, problem, problems, with_file


def test_a_syntax_error_names_file_and_line(tmp_path: Path) -> None:
    line = problem(with_file(tmp_path, "[policy]\ncps = 5\nspike_rate =\n"))

    assert line.startswith("CALLGUARD_CONFIG: the file ")
    assert "callguard.toml" in line
    assert "line 3" in line


def test_a_file_that_is_not_there_is_the_only_problem(tmp_path: Path) -> None:
    """What is missing besides may stand in it."""
    lines = problems({"CALLGUARD_CONFIG": str(tmp_path / "none.toml")})

    assert len(lines) == 1
    assert "none.toml" in lines[0]
    assert "No such file" in lines[0]


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert "CALLGUARD_CONFIG: the file " in problem({**RIGHT, "CALLGUARD_CONFIG": str(tmp_path)})


DEEP = [name + ".a" * 5_000 + " = 1" for name in ("public_url", "policy", "policy.cps", "api_key", "accounts")]
DEEP.append("[[accounts]]\nsid" + ".a" * 5_000 + " = 1")
DEEP.append('[[accounts]]\nsid = "x"\nshared_keys' + ".a" * 5_000 + " = 1")


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 5_000, "a = " + "{b = " * 5_000, "a" + ".a" * 5_000 + " = 1", *DEEP]
)
def test_what_is_nested_without_end_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "deep.toml").write_text(text)

    told = problems({**RIGHT, "CALLGUARD_CONFIG": str(tmp_path / "deep.toml")})

    assert "deep.toml" in told[0]


def test_another_encoding_is_told(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9\n")

    assert "not UTF-8" in problem({**RIGHT, "CALLGUARD_CONFIG": str(tmp_path / "latin.toml")})


def test_the_name_of_the_file_may_begin_at_home(tmp_path: Path) -> None:
    environ = with_file(tmp_path, "[policy]\ncps = 5")

    settings = load_settings({**environ, "HOME": str(tmp_path), "CALLGUARD_CONFIG": "~/callguard.toml"})

    assert settings.policy.cps == 5


def test_a_blank_name_is_no_file() -> None:
    load_settings({**RIGHT, "CALLGUARD_CONFIG": ""})


@pytest.mark.parametrize(
    ("toml", "place", "wrong"),
    [
        ("publicurl = 1", "publicurl", "did you mean public_url?"),
        ("acounts = 1", "acounts", "did you mean accounts?"),
        ("qqq = 1", "qqq", "is not a setting; remove it"),
        ("bind = 1", "bind", "from the environment only, as CALLGUARD_BIND"),
        ("policy = 1", "policy", "write [policy] on a line of its own"),
        ("accounts = 1", "accounts", "write [[accounts]] on a line of its own"),
        ("[accounts]\nsid = 1", "accounts", "write [[accounts]] on a line of its own"),
        ("[policy]\ncsp = 1", "policy.csp", "did you mean cps?"),
        ("[policy]\nsid = 1", "policy.sid", "is not a setting"),
    ],
)
def test_a_key_that_is_no_setting(toml: str, place: str, wrong: str, tmp_path: Path) -> None:
    line = problem(with_file(tmp_path, toml))

    assert f"callguard.toml: {place}: " in line
    assert wrong in line


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("CALLGUARD_PUBLIC_URI", "did you mean CALLGUARD_PUBLIC_URL?"),
        ("CALLGUARD_API_KEYS", "did you mean CALLGUARD_API_KEY?"),
        ("CALLGUARD_POLICY_CPS", "did you mean CALLGUARD_POLICY__CPS?"),
        ("CALLGUARD_POLICY__SPIKERATE", "did you mean CALLGUARD_POLICY__SPIKE_RATE?"),
        ("CALLGUARD_POLICY__cps", "did you mean CALLGUARD_POLICY__CPS?"),
        ("callguard_public_url", "did you mean CALLGUARD_PUBLIC_URL?"),
        ("CALLGUARD_POLICY__XYZ", "is not a setting; remove it"),
        ("CALLGUARD_", "is not a setting; remove it"),
    ],
)
def test_a_variable_that_is_no_setting(name: str, wrong: str) -> None:
    assert problem({**RIGHT, name: "x"}).startswith(f"{name}: {wrong}" if "remove" in wrong else f"{name}: is not")
    assert wrong in problem({**RIGHT, name: "x"})


@pytest.mark.parametrize("name", ELSEWHERE)
def test_variables_that_programs_and_tests_read_are_known(name: str) -> None:
    load_settings({**RIGHT, name: "1"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CALLGUARD_PORT", "tcp://10.0.0.1:8000"),
        ("CALLGUARD_PORT_8000_TCP_ADDR", "10.0.0.1"),
        ("CALLGUARD_SERVICE_HOST", "10.0.0.1"),
        ("CALLGUARD_WEB_SERVICE_PORT_HTTP", "8000"),
    ],
)
def test_what_kubernetes_adds_for_a_service_named_callguard_is_no_mistake(name: str, value: str) -> None:
    load_settings({**RIGHT, name: value})


def test_a_port_that_a_person_wrote_is_a_mistake() -> None:
    assert "CALLGUARD_PORT: is not a setting" in problem({**RIGHT, "CALLGUARD_PORT": "8000"})


def test_a_readable_file_without_accounts_leaves_nothing_to_guard(tmp_path: Path) -> None:
    assert "no account is configured" in problem(with_file(tmp_path, "", ONLY_URL))


VALUES = st.sampled_from(
    """
    1|-1|5.5|nan|true|1979-05-27|"x"|""|"*"|"é"|"a,b"|"\\u0000"|"HOME"|"http://[::1"|[]|[1]|["a", ""]|["+1555*", 5]
    {}|{a = 1}|[{}]|[[]]|[{id = 1}]|[{id = "a", secret = 1}]|[{id = "a", secret_env = 1}]
    [{id = "a", secret = "12345678", algorithm = [1]}]
    """.strip()
    .replace("\n", "|")
    .split("|")
)
ACCOUNT_KEYS = (
    "sid",
    "auth_token",
    "auth_tokens",
    "auth_token_env",
    "shared_keys",
    "nonsense",
    *POLICY_KEYS,
)


@given(
    st.dictionaries(st.sampled_from([*setting_keys(), "accounts", "policy", "nonsense"]), VALUES, max_size=3),
    st.dictionaries(st.sampled_from(ACCOUNT_KEYS), VALUES, max_size=3),
)
def test_whatever_a_file_says_it_is_taken_or_refused_by_name(
    tmp_path_factory: pytest.TempPathFactory, top: dict[str, str], account: dict[str, str]
) -> None:
    tables = "" if "accounts" in top else "[[accounts]]\n"
    lines = [f"{key} = {value}" for key, value in top.items()]
    rest = [f"{key} = {value}" for key, value in account.items()] if tables else []
    environ = with_file(tmp_path_factory.getbasetemp(), "\n".join([*lines, tables, *rest]))

    try:
        load_settings(environ)
    except ConfigurationError as error:
        told = str(error).splitlines()[1:]
        assert told
        assert all("callguard.toml: " in line or line.startswith("CALLGUARD_") for line in told)
