"""The documents' tables, made from the code: `python -m tests.docs_tables` writes them anew."""

from collections.abc import Sequence
from dataclasses import fields
from enum import Enum
from pathlib import Path
from typing import get_type_hints

from pydantic_core import PydanticUndefined
from typing_extensions import Doc

from callguard.config.environment import variable
from callguard.config.settings import Settings, key_of, setting_keys
from callguard.domain.policy import Policy
from callguard.metrics.catalogue import CATALOGUE

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
DEPLOY = ROOT / "deploy" / "README.md"


def settings_table() -> str:
    """Return the table of settings."""
    rows = [
        ("`TWILIO_ACCOUNT_SID`", "the account to guard", ""),
        ("`TWILIO_AUTH_TOKEN`", "its token; `new,old` during a rotation: both are good for signatures", ""),
        ("`CALLGUARD_CONFIG`", "a TOML file with more settings and more accounts", ""),
    ]
    described = {key_of(name, field): field for name, field in Settings.model_fields.items()}
    for key in setting_keys():
        field = described[key]
        default = "" if field.default in (None, (), PydanticUndefined) else f"`{field.default}`"
        rows.append((f"`{variable(key)}`", field.description or "", default))
    rows += [
        (
            "`CALLGUARD_BIND`",
            "gunicorn's address where the parts run apart",
            "`127.0.0.1:8000`",
        ),
        ("`CALLGUARD_WEB_WORKERS`", "how many gunicorn workers", "`2`"),
        ("`CALLGUARD_CANCEL_WORKERS`", "how many cancel workers", "`2`"),
    ]
    return _table(("setting", "meaning", "default"), rows)


def policy_table() -> str:
    """Return the table of policy keys."""
    hints = get_type_hints(Policy, include_extras=True)
    rows = []
    for field in fields(Policy):
        (doc,) = (note.documentation for note in hints[field.name].__metadata__ if isinstance(note, Doc))
        default = field.default.value if isinstance(field.default, Enum) else field.default
        rows.append((f"`{field.name}`", doc, "none" if default in ((), "") else f"`{_plain(default)}`"))
    return _table(("key", "meaning", "default"), rows)


def metrics_table() -> str:
    """Return the table of metrics."""
    rows = [
        (
            f"`{name}{{{','.join(metric.labels)}}}`" if metric.labels else f"`{name}`",
            metric.kind.value,
            metric.help,
            metric.there,
        )
        for name, metric in CATALOGUE.items()
    ]
    return _table(("metric", "kind", "help", "there"), rows)


TABLES = {README: {"settings": settings_table, "policy": policy_table}, DEPLOY: {"metrics": metrics_table}}
"""The tables of each document, by the name of their marks."""


def written(document: Path) -> str:
    """Return the document's text with every table of it between its marks, made anew.

    Raises:
        ValueError: the marks of a table are not there, or there twice.
    """
    text = document.read_text()
    for name, table in TABLES[document].items():
        begin, end = f"<!-- {name} -->\n", f"\n<!-- /{name} -->"
        if (text.count(begin), text.count(end)) != (1, 1):
            raise ValueError(f"{document}: {begin.strip()} and {end.strip()} should be there once each")
        before, rest = text.split(begin)
        text = f"{before}{begin}{table()}{end}{rest.split(end)[1]}"
    return text


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


if __name__ == "__main__":
    for path in TABLES:
        path.write_text(written(path))
