"""The web process: takes callbacks, and serves metrics and probes."""

import atexit
import sys

from flask import Flask

from callguard.bootstrap import WebParts, build_web
from callguard.config.errors import ConfigurationError
from callguard.errors import CallGuardError
from callguard.startup import start
from callguard.web.api import api
from callguard.web.api.account_routes import accounts
from callguard.web.api.campaign_routes import CampaignRoutes, campaigns
from callguard.web.api.cancel_routes import cancels
from callguard.web.api.refusals import Refusals
from callguard.web.api.report_routes import ReportRoutes, reports
from callguard.web.api.routes import Route
from callguard.web.beside import beside, take_leave
from callguard.web.probes import probes
from callguard.web.twilio.dropped_news import telling
from callguard.web.twilio.event_streams import EventStreamHandler, events
from callguard.web.twilio.form import MAX_BODY_BYTES
from callguard.web.twilio.status_callback_handler import StatusCallbackHandler
from callguard.web.twilio.status_callbacks import callbacks
from callguard.web.twilio.twiml import TwimlHandler, twiml

# gunicorn's exit code for "the app cannot be loaded": it stops, instead of starting workers for ever.
_APP_LOAD_ERROR = 4


def create_app(parts: WebParts | None = None) -> Flask:
    """Return the WSGI app; without `parts` it reads the environment.

    Bad settings end the process with a message that names them.
    """
    app = Flask("callguard", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    built = parts or _build_from_environment()
    settings, stores, clock = built.settings, built.stores, built.clock
    refusals = Refusals(clock, stores.notices)
    if parts is None:
        beside(built, refusals).start()
        atexit.register(take_leave, built)
    app.extensions["callguard"] = built
    _register_twilio(app, built)
    app.register_blueprint(api(_api_routes(built), settings.api_keys, settings.public_url, refusals))
    app.register_blueprint(probes(built, refusals))
    return app


def _register_twilio(app: Flask, built: WebParts) -> None:
    who = built.accounts, built.authenticator, built.clock
    stores, tell = built.stores, telling(built.stores.notices, built.clock)
    app.register_blueprint(
        callbacks(StatusCallbackHandler(*who, built.callbacks.take, stores.tracker.refused, tell))
    )
    app.register_blueprint(events(EventStreamHandler(*who, built.reports, tell)))
    app.register_blueprint(twiml(TwimlHandler(*who, stores.live_calls.leave_alone)))


def _api_routes(built: WebParts) -> list[Route]:
    guarded, stores, clock = built.accounts, built.stores, built.clock
    return [
        *accounts(guarded, stores.readings, stores.incidents, stores.tracker, clock),
        *campaigns(CampaignRoutes(guarded, built.campaigns, clock)),
        *reports(ReportRoutes(guarded, built.reports, clock)),
        *cancels(built.single_cancel),
    ]


def _build_from_environment() -> WebParts:
    try:
        return build_web(start())
    except (ConfigurationError, CallGuardError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(_APP_LOAD_ERROR)
