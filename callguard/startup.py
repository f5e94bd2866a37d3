"""How every process begins: read the settings, set up the log, say once what is in force.

It imports little: gunicorn's master runs it before gevent has patched anything.
"""

import logging
import os
from collections.abc import Mapping

from callguard.config.effective import log_settings
from callguard.config.settings import Settings, load_settings
from callguard.logs import configure_logging

_log = logging.getLogger(__name__)

SETTINGS_LOGGED = "_CALLGUARD_SETTINGS_LOGGED"
"""Set in the environment by whoever has logged the settings, for the processes that it starts."""


def start(environ: Mapping[str, str] | None = None, *, again: bool = False) -> Settings:
    """Return the settings, with the log set up to mask their secrets.

    `again`: they are read anew, so they are logged once more.

    Raises:
        ConfigurationError: names every setting that is wrong, and what to write.
    """
    settings = load_settings(environ)
    configure_logging(settings.log_level, settings.secrets())
    if again or os.environ.get(SETTINGS_LOGGED) != "1":
        log_settings(settings, _log)
        os.environ[SETTINGS_LOGGED] = "1"
    return settings
