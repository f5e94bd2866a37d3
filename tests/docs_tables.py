"""The README's tables, made from the code: `python -m tests.docs_tables` writes them into it."""

import re
from collections.abc import Sequence
from dataclasses import fields
from enum import Enum
from pathlib import Path
from typing import get_type_hints

from pydantic_core import PydanticUndefined
from typing_extensions import Doc

from callguard.config.settings import Settings
from callguard.config.sources import key_of, setting_keys, variable
from callguard.domain.policy import Policy
from callguard.metrics.catalogue import CATALOGUE

_PLACE = "THE-TABLE"
README = Path(__file__).parents[1] / "README.md"


def settings_table() -> str:
    """Return the table of settings."""
    rows = [
        ("`TWILIO_ACCOUNT_SID`", "the account to guard", ""),
        ("`TWILIO_AUTH_TOKEN`", "its token; `new,old` during a rotation: both are good for signatures", ""),
        ("`CALLGUARD_CONFIG`", "a TOML file with more settings and more accounts", ""),
    ]
    described = {key_of(name, field): field for name, field in Settings.model_fields.items()}
    for key in setting_keys(Settings):
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


TABLES = {"settings": settings_table, "policy": policy_table, "metrics": metrics_table}


def written(text: str) -> str:
    """Return the text with every table between its marks made anew."""
    for name, table in TABLES.items():
        hasher = rf"(<!-- {name} -->\n).*?(\n<!-- /{name} -->)"
        text = re.sub(hasher, rf"\1{_PLACE}\2", text, flags=re.DOTALL).replace(_PLACE, table())
    return text


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


if __name__ == "__main__":
    README.write_text(written(README.read_text()))
