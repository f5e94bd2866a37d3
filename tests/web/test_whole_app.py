"""The app as a whole: which route answers what."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from callguard.web.twilio.event_streams import EventStreamHandler, events
from callguard.web.twilio.status_callbacks import callbacks
from callguard.web.twilio.twiml import TwimlHandler, twiml
from tests.web.twilio.callbacks import URL, Services, fields, signed
from tests.web.twilio.event_batches import EventServices


@pytest.fixture
def client() -> FlaskClient:
    """The callbacks' catch-all beside the other routes below `/twilio/`, in any order."""
    app, services, reports = Flask("test", static_folder=None), Services(), EventServices()
    who = services.accounts, services.authenticator, services.clock
    app.register_blueprint(callbacks(services.handler()))
    app.register_blueprint(events(EventStreamHandler(*who, reports, reports.tell_dropped)))
    app.register_blueprint(twiml(TwimlHandler(*who, lambda *_: None)))
    return app.test_client()


@pytest.mark.parametrize("path", ["/twilio/events", "/twilio/apology", "/twilio/agent"])
def test_the_other_paths_below_twilio_keep_their_own_answers(client: FlaskClient, path: str) -> None:
    assert client.post(path).status_code == 403


def test_the_right_path_is_not_shadowed(client: FlaskClient) -> None:
    assert client.post("/twilio/status", data=fields(), headers=signed(fields(), url=URL)).status_code == 204


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/twilio/events", 405), ("PUT", "/twilio/events", 405), ("PUT", "/twilio/status", 405)],
)
def test_other_methods(client: FlaskClient, method: str, path: str, status: int) -> None:
    assert client.open(path, method=method).status_code == status
