"""The log holds no secret and no one's number."""

import logging
import re
from collections.abc import Iterator

import pytest

from callguard.logs import QUIET, GuardHandler, RedactingFormatter, configure_logging

SID = "CA" + "0123456789abcdef" * 2
SECRETS = ("hunter2-hunter2", "p@ss/word", "abc")


@pytest.fixture(autouse=True)
def _log_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    loggers = [root, *map(logging.getLogger, (*QUIET, "gunicorn.error"))]
    before = [(logger, logger.level, logger.handlers[:]) for logger in loggers]
    yield
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers


@pytest.mark.parametrize(
    ("text", "written"),
    [
        pytest.param("from +15551230001 on", "from +1555***01 on", id="a number"),
        pytest.param("From=%2B15551230001&To=", "From=+1555***01&To=", id="a number in a form"),
        pytest.param("+442071838750,+15551230001", "+4420***50,+1555***01", id="two numbers"),
        pytest.param("+155512300011234567", "+1555***67", id="more digits than a number has"),
        pytest.param("to 15551230001, 4155551234", "to 15551***01, 41***34", id="digits alone"),
        pytest.param("sip:15551230001@host", "sip:15551***01@host", id="a number in a SIP address"),
        pytest.param("whatsapp:+15551230001", "whatsapp:+1555***01", id="a number of WhatsApp"),
        pytest.param("at 1.7900000005 s, 3600000 ms", "at 1.7900000005 s, 3600000 ms", id="other figures stay"),
        pytest.param(f"call {SID}", f"call {SID}", id="a SID stays"),
        pytest.param("AC" + "1" * 32, "AC" + "1" * 32, id="a SID of digits stays"),
        pytest.param("2026-01-02T00:00:00+0000 +123456", "2026-01-02T00:00:00+0000 +123456", id="few digits stay"),
        pytest.param("token hunter2-hunter2.", "token *****.", id="a secret"),
        pytest.param("p%40ss%2Fword", "*****", id="a percent-encoded secret"),
        pytest.param("abcdef", "abcdef", id="a secret too short to be told from a word"),
        pytest.param("redis://u:any@h/0", "redis://*****@h/0", id="credentials of any URL"),
    ],
)
def test_what_is_masked(text: str, written: str) -> None:
    assert RedactingFormatter(SECRETS).redacted(text) == written


def test_a_record_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO", SECRETS)

    logging.getLogger("callguard.watch.watcher").info("saw %s\n2026 INFO forged %s", "+15551230001", SECRETS[0])

    err = capsys.readouterr().err
    time, text = err.split(" ", 1)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", time)
    assert text == "INFO watch.watcher saw +1555***01\\n2026 INFO forged *****\n"


def test_a_traceback_is_masked_and_cannot_forge_a_record(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO", SECRETS)
    try:
        raise ValueError(f"no {SECRETS[0]}\nfor +15551230001 in {SID}")
    except ValueError:
        logging.getLogger("callguard.cancel").exception("failed")

    first, *others = capsys.readouterr().err.splitlines()
    assert first.endswith("ERROR cancel failed")
    assert others
    assert all(line.startswith("    ") for line in others)
    assert SECRETS[0] not in "".join(others)
    assert "15551230001" not in "".join(others)
    assert SID in others[-1]


def test_configuring_twice_writes_once(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO")
    configure_logging("INFO", SECRETS)

    logging.getLogger("callguard").info(SECRETS[0])

    assert capsys.readouterr().err.count("*****\n") == 1
    assert sum(isinstance(handler, GuardHandler) for handler in logging.getLogger().handlers) == 1


@pytest.mark.parametrize("name", QUIET)
@pytest.mark.parametrize(("level", "least"), [("DEBUG", "WARNING"), ("INFO", "WARNING"), ("ERROR", "ERROR")])
def test_libraries_speak_only_of_trouble(name: str, level: str, least: str) -> None:
    configure_logging(level)

    assert logging.getLevelName(logging.getLogger(name).level) == least


def test_the_log_of_gunicorn_is_masked_where_it_goes() -> None:
    handler = logging.StreamHandler()
    logging.getLogger("gunicorn.error").addHandler(handler)

    configure_logging("INFO", SECRETS)

    assert isinstance(handler.formatter, RedactingFormatter)


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="LOUD"):
        configure_logging("LOUD")
