"""What the documents claim."""

import re
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from callguard.cli import main
from callguard.config.settings import load_settings
from tests.docs_tables import README, written

ROOT = README.parent
TEXT = README.read_text()


def test_the_tables_are_those_of_the_code() -> None:
    """If not: `python -m tests.docs_tables` writes them anew."""
    assert written(TEXT) == TEXT


@pytest.mark.parametrize("document", [README, ROOT / "deploy" / "README.md", ROOT / "CHANGELOG.md"])
def test_no_placeholder_is_left(document: Path) -> None:
    assert not re.findall(r"@[A-Z]+@", document.read_text())


@pytest.mark.parametrize("document", [README, ROOT / "deploy" / "README.md"])
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text())

    assert links
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_the_commands_exist() -> None:
    named = set(re.findall(r"`callguard ([a-z]+)", TEXT))

    assert named
    assert named <= set(main.commands)


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_has_help(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])

    assert result.exit_code == 0
    assert main.commands[name].help


def test_the_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert set(re.findall(r"[`$] ?make ([a-z]+)", TEXT)) <= targets


def test_the_example_file_is_good(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    file = tmp_path / "callguard.toml"
    file.write_text(example)

    settings = load_settings({"CALLGUARD_CONFIG": str(file), "TOKEN_OF_SALES": "a" * 32 + "," + "b" * 32})

    (account,) = settings.accounts.values()
    assert account.sid == tomllib.loads(example)["accounts"][0]["sid"]
    assert len(account.auth_tokens) == 2
    assert (account.policy.cps, account.policy.poll_seconds) == (5, 3)
