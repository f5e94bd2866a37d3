"""Reading a body: bounded, and without waiting for ever."""

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge

from callguard.processes.connections import BODY_SECONDS, CONNECTION, WORK_SECONDS


def read_body(request: Request, most_bytes: int) -> bytes:
    """Return the body; empty if its sender left amid it, or took more than `BODY_SECONDS`.

    Raises:
        RequestEntityTooLarge: more than `most_bytes`, by its own account or counted.
    """
    # One more than allowed: Werkzeug cuts a body off that did not say its length, and does not tell.
    request.max_content_length = most_bytes + 1
    connection = request.environ.get(CONNECTION)
    if connection is not None:
        connection.give_body(BODY_SECONDS)
    try:
        body = request.get_data(cache=False)
    except RequestEntityTooLarge:
        raise
    except Exception:  # each server has its own errors for a broken connection or chunk
        return b""
    finally:
        if connection is not None:
            connection.give(WORK_SECONDS)
    if len(body) > most_bytes:
        raise RequestEntityTooLarge
    return body
