"""What `/twilio/status` is measured against: a Flask route that does nothing."""

from flask import Flask

app = Flask("bare")


@app.post("/twilio/status")
def nothing() -> tuple[str, int]:
    """Return 204."""
    return "", 204
