"""`gunicorn wsgi:app`."""

from callguard.web import create_app

app = create_app()
