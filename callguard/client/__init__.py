"""For the program that creates calls: asks the guard first, and tells it of every call that was created.

    Client(sid, token, http_client=GuardedHttpClient("https://guard.example.com", api_key="..."))

It needs the standard library, twilio and requests (which twilio brings), and nothing else of callguard.
"""

from callguard.client.blocked import CallsBlocked
from callguard.client.http_client import GuardedHttpClient

__all__ = ["GuardedHttpClient", "CallsBlocked"]
