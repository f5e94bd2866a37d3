"""What the documents claim."""

import re
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from callguard.cli import main
from callguard.config.settings import load_settings
from tests.docs_tables import DEPLOY, README, ROOT, TABLES, written

MAP = ROOT / "callguard" / "README.md"
DOCUMENTS = (README, DEPLOY, MAP, ROOT / "tests" / "benchmarks" / "README.md")
TEXT = README.read_text()

each_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=[str(document.relative_to(ROOT)) for document in DOCUMENTS]
)


def anchors(document: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", TABLES, ids=[str(document.relative_to(ROOT)) for document in TABLES])
def test_the_tables_are_those_of_the_code(document: Path) -> None:
    """If not: `python -m tests.docs_tables` writes them anew."""
    assert written(document) == document.read_text()


@each_document
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", document.read_text())
    targets = [(document.parent / path if path else document, anchor) for path, anchor in links]

    assert links
    assert [str(path) for path, _ in targets if not path.exists()] == []
    assert [anchor for path, anchor in targets if anchor and anchor not in anchors(path)] == []


def test_the_first_document_is_short() -> None:
    assert len(TEXT.encode()) < 20_000


@each_document
def test_no_machine_or_registry_is_named(document: Path) -> None:
    text = document.read_text()

    assert re.findall(r"(?<![\w.])/(?:home|root|work|tmp|opt|usr|Users)/\S*", text) == []
    assert re.findall(r"\S*(?:pypi|registry|index-url)\S*", text) == []


def test_the_map_names_files_that_exist() -> None:
    named = set(re.findall(r"`([a-z_]+(?:/[a-z_]+)*(?:\.(?:py|lua|toml)|/))`", MAP.read_text()))

    assert named
    assert [name for name in sorted(named) if not ((MAP.parent / name).exists() or (ROOT / name).exists())] == []


def test_the_map_shows_every_folder() -> None:
    shown = set(re.findall(r"^\| `([a-z]+)/`", MAP.read_text(), re.MULTILINE))

    assert shown - {"workers"} == {folder.parent.name for folder in MAP.parent.glob("*/__init__.py")}


@each_document
def test_the_commands_exist(document: Path) -> None:
    named = set(re.findall(r"(?:`|\$ )callguard ([a-z]+)", document.read_text()))

    assert named
    assert named <= set(main.commands)


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_has_help(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])

    assert result.exit_code == 0
    assert main.commands[name].help


@each_document
def test_the_make_targets_exist(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert set(re.findall(r"[`$] ?make ([a-z-]+)", document.read_text())) <= targets


def test_the_example_file_is_good(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    file = tmp_path / "callguard.toml"
    file.write_text(example)

    settings = load_settings({"CALLGUARD_CONFIG": str(file), "TOKEN_OF_SALES": "a" * 32 + "," + "b" * 32})

    (account,) = settings.accounts.values()
    assert account.sid == tomllib.loads(example)["accounts"][0]["sid"]
    assert len(account.auth_tokens) == 2
    assert (account.policy.cps, account.policy.poll_seconds) == (5, 3)
