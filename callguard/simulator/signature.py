"""Signing a callback as Twilio does: https://www.twilio.com/docs/usage/security#validating-requests

Written out with the standard library on purpose: the product verifies with the twilio library, and two
implementations that agree show more than one that agrees with itself.
"""

import hmac
from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

from callguard.simulator.config import SharedKey

SETTINGS_HEADER = "X-Twilio-Webhooks-Signature-Settings"
SIGNATURE_HEADER = "X-Twilio-Signature"


def signed_url(url: str) -> str:
    """The URL as it enters the signature: no fragment, no user, and no port over HTTPS."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    if parts.scheme == "https" and parts.port is not None:
        host = host[: host.rindex(":")]
    return urlunsplit((parts.scheme, host, parts.path, parts.query, ""))


def signature(secret: str, url: str, fields: Mapping[str, str], algorithm: str = "sha1") -> str:
    """The signature, base64. `fields` are the form's; a GET has none, its URL holds them."""
    text = signed_url(url) + "".join(name + fields[name] for name in sorted(fields))
    return b64encode(hmac.digest(secret.encode(), text.encode(), algorithm)).decode()


def signature_headers(
    auth_token: str, shared_key: SharedKey | None, url: str, fields: Mapping[str, str]
) -> dict[str, str]:
    """The headers that prove a request's origin: by the shared key when there is one, else the token."""
    if shared_key is None:
        return {SIGNATURE_HEADER: signature(auth_token, url, fields)}
    return {
        SIGNATURE_HEADER: signature(shared_key.secret, url, fields, "sha256"),
        SETTINGS_HEADER: f"key={shared_key.key_id},algorithm=HMAC_SHA256",
    }
