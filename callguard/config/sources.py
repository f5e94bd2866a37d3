"""What pydantic-settings is given to read, and how its errors name what was written."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource

from callguard.config.environment import PREFIX
from callguard.config.errors import Problems
from callguard.config.home import expanded
from callguard.config.wording import wrong
from callguard.config.written import Layer, Place, Written, in_environment

_NOT_WRITTEN = ("policy", "accounts")
"""Fields that are put together from many places."""


class LayerSource(PydanticBaseSettingsSource):
    """The values of one layer. pydantic-settings' own sources read `os.environ`; this one reads any mapping."""

    def __init__(self, settings_cls: type[BaseSettings], layer: Layer) -> None:
        """Read from `layer`, by the keys of the fields."""
        super().__init__(settings_cls)
        self._layer = layer

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return a field's value, or None, and its key."""
        key = key_of(field_name, field)
        return (self._layer[key].value if key in self._layer else None), key, False

    def __call__(self) -> dict[str, Any]:
        """Return all values of the layer."""
        return {key: written.value for key, written in self._layer.items()}


def layer_sources(
    settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource
) -> tuple[PydanticBaseSettingsSource, ...]:
    """Return the sources for a constructor called with `layers`, of which the first wins."""
    given = init_settings.init_kwargs if isinstance(init_settings, InitSettingsSource) else {}
    return tuple(LayerSource(settings_cls, layer) for layer in given.get("layers", ()))


def key_of(name: str, field: FieldInfo) -> str:
    """Return a field's key in the TOML file: its alias or its name."""
    return field.validation_alias if isinstance(field.validation_alias, str) else name


def setting_keys(settings_cls: type[BaseSettings]) -> tuple[str, ...]:
    """Return the keys of all settings that are written under one name."""
    return tuple(key_of(n, field) for n, field in settings_cls.model_fields.items() if n not in _NOT_WRITTEN)


def variable(key: str) -> str:
    """Return the environment variable of a setting."""
    return PREFIX + key.upper()


def layer_of_environment(environ: Mapping[str, str], known: tuple[str, ...]) -> dict[str, Written]:
    """Return the settings that the environment has; a blank one counts as not set."""
    values = {key: environ.get(variable(key), "").strip() for key in known}
    return {key: Written(value, in_environment(variable(key))) for key, value in values.items() if value}


def with_data_dir(layer: Layer, environ: Mapping[str, str]) -> Layer:
    """Return the layer with the path of `data_dir` made absolute."""
    written = layer.get("data_dir")
    if written is None or not isinstance(written.value, str):
        return layer
    return {**layer, "data_dir": Written(expanded(written.value, environ), written.place)}


def computed(value: Any) -> Written:
    """Return a value that nobody wrote."""
    return Written(value, in_environment(""))


def note_errors(
    settings_cls: type[BaseSettings],
    error: ValidationError,
    layers: tuple[Layer, ...],
    problems: Problems,
    *,
    ignore_missing: bool,
) -> None:
    """Note what pydantic has found wrong, under the names that the values were written with.

    `ignore_missing`: what is not set may stand in a file that could not be read.
    """
    fields = {key_of(name, field): field for name, field in settings_cls.model_fields.items()}
    for detail in error.errors(include_url=False):
        key, *index = detail["loc"]
        field = fields[str(key)]
        if detail["type"] == "missing" and ignore_missing:
            continue
        examples = field.examples or [None]
        place = _place(layers, str(key), index)
        problems.add(place, wrong(detail, secret=not field.repr), examples[0])


def _place(layers: tuple[Layer, ...], key: str, index: list[Any]) -> Place:
    places = [layer[key].place for layer in layers if key in layer]
    place = places[0] if places else in_environment(variable(key))
    return place.item(index[0]) if index and isinstance(index[0], int) else place
