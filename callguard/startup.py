"""How every process begins: read the settings, set up the log, say once what is in force.

It imports little: gunicorn's master runs it before gevent has patched anything.
"""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import callguard
from callguard.config.effective import log_settings
from callguard.config.errors import ConfigurationError
from callguard.config.settings import Settings, load_settings
from callguard.logs import configure_logging

_log = logging.getLogger(__name__)

SETTINGS_LOGGED = "_CALLGUARD_SETTINGS_LOGGED"
"""Set in the environment by the process that has logged the settings, for those that it starts."""

RECEIVERS_VERIFIED = "_CALLGUARD_RECEIVERS_VERIFIED"
"""Set likewise by the process that has checked that all of CALLGUARD_NOTIFY_URLS can be sent to."""

VERIFY_SECONDS = 60.0
_WRONG = 3  # as `callguard.notify.verify` has it


def start(environ: Mapping[str, str] | None = None, *, again: bool = False) -> Settings:
    """Return the settings, with the log set up to mask their secrets.

    `again`: the settings are read once more, so they are also logged once more.

    Raises:
        ConfigurationError: names every setting that is wrong, and what to write.
    """
    settings = load_settings(environ)
    configure_logging(settings.log_level, settings.secrets())
    verify_redis_urls(settings)
    verify_receivers(settings, again=again)
    if again or os.environ.get(SETTINGS_LOGGED) != "1":
        log_settings(settings, _log)
        os.environ[SETTINGS_LOGGED] = "1"
    return settings


def verify_receivers(settings: Settings, *, again: bool = False) -> None:
    """Ask Apprise, in a process of its own, whether it knows all receivers; once for us and all that we start.

    With `again` it is asked in any case, since the settings may have changed.

    If Apprise cannot be asked, the start goes on: the guard works without notices, and the relay will say so.

    Raises:
        ConfigurationError: names the entries of CALLGUARD_NOTIFY_URLS that are no receivers.
    """
    # Any address on the web is a webhook at least, so nothing can be wrong with it.
    is_sure = all(url.lower().startswith(("http://", "https://")) for url in settings.notify_urls)
    if is_sure or (os.environ.get(RECEIVERS_VERIFIED) == "1" and not again):
        return
    if _verify("callguard.notify.verify", settings.notify_urls, "CALLGUARD_NOTIFY_URLS"):
        os.environ[RECEIVERS_VERIFIED] = "1"


def verify_redis_urls(settings: Settings) -> None:
    """Ask redis-py, in a process of its own, whether it takes the options of the Redis URLs, if they have any.

    Raises:
        ConfigurationError: names the settings whose URL it does not take.
    """
    if wanted := redis_urls_with_options(settings):
        _verify("callguard.redis_client", wanted, " and ".join(wanted))


def redis_urls_with_options(settings: Settings) -> dict[str, str]:
    """Return the URLs of Redis with options, which the settings do not check, by the setting that names them."""
    given = {"CALLGUARD_REDIS_URL": settings.redis_url, "CALLGUARD_QUEUE_REDIS_URL": settings.queue_redis_url}
    return {name: url for name, url in given.items() if url and "?" in url}


def _verify(module: str, given: object, settings: str) -> bool:
    """Run a module that prints what is wrong with the settings given; return whether it has checked them."""
    try:
        asked = subprocess.run(
            [sys.executable, "-m", module],
            input=json.dumps(given),
            env=environ_for_own_modules(),
            capture_output=True,
            text=True,
            timeout=VERIFY_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        _log.error("%s could not be checked: %s", settings, type(error).__name__)
        return False
    if asked.returncode == _WRONG:
        raise ConfigurationError.of([asked.stdout])
    if asked.returncode:
        _log.error("%s could not be checked: the check exited with %d", settings, asked.returncode)
    return not asked.returncode


def environ_for_own_modules() -> dict[str, str]:
    """Return our environment for a Python that runs a module of ours, wherever we were started."""
    root = str(Path(callguard.__file__).parents[1])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    # A folder that we happen to be in may hold a `callguard/` or a `redis.py` of its own.
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1"}
