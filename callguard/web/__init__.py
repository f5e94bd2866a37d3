"""The web process: callbacks in, metrics and probes out."""

import atexit
import sys

from flask import Flask

from callguard.bootstrap import WEB_PATIENCE_SECONDS, Services, build
from callguard.config.errors import ConfigurationError
from callguard.errors import CallGuardError
from callguard.startup import start
from callguard.web.api import api
from callguard.web.api.refusals import Refusals
from callguard.web.beside import beside, take_leave
from callguard.web.probes import probes
from callguard.web.twilio.event_streams import events
from callguard.web.twilio.form import MAX_BODY_BYTES
from callguard.web.twilio.status_callbacks import callbacks
from callguard.web.twilio.twiml import twiml

# gunicorn's exit code for "the app cannot be loaded": it stops, instead of starting workers for ever.
_APP_LOAD_ERROR = 4


def create_app(services: Services | None = None) -> Flask:
    """Return the WSGI app; without `services` it reads the environment.

    Bad settings end the process with a message that names them.
    """
    app = Flask("callguard", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    built = services or _build_from_environment()
    refusals = Refusals(built.clock, built.notices)
    if services is None:
        beside(built, refusals).start()
        atexit.register(take_leave, built)
    app.extensions["callguard"] = built
    app.register_blueprint(callbacks(built))
    app.register_blueprint(events(built))
    app.register_blueprint(twiml(built))
    app.register_blueprint(api(built, refusals))
    app.register_blueprint(probes(built, refusals))
    return app


def _build_from_environment() -> Services:
    try:
        return build(start(), patience=WEB_PATIENCE_SECONDS)
    except (ConfigurationError, CallGuardError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(_APP_LOAD_ERROR)
