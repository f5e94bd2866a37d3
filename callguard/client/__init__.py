"""The client for programs that create calls: it asks the guard first, and reports every created call.

    Client(sid, token, http_client=GuardedHttpClient("https://guard.example.com", api_key="..."))

It needs the standard library, twilio and requests (which twilio brings), and nothing else of callguard.
"""

from callguard.client.blocked import CallsBlocked
from callguard.client.http_client import GuardedHttpClient

__all__ = ["GuardedHttpClient", "CallsBlocked"]
