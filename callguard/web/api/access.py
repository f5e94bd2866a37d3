"""Who may ask what."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from flask import Request

from callguard.config.keys import ApiKey, Role
from callguard.config.urls import is_loopback
from callguard.web.api.errors import Refused
from callguard.web.api.loopback import why_not_local
from callguard.web.api.routes import Route

_ADVICE = "set CALLGUARD_API_KEY to name:role:key where the guard runs, and send the key as x-api-key"
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="callguard"'}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the name of the key, or `loopback`; and what it may do."""

    name: str
    role: Role


LOOPBACK = Caller("loopback", Role.OPERATOR)

ONLOOKER = Caller("loopback", Role.VIEWER)
"""This machine's own programs where the guard is public: a proxy here may ask for anybody, and not say so."""


def admit(request: Request, keys: Sequence[ApiKey], route: Route, public_url: str) -> Caller:
    """Return who asks.

    Raises:
        Refused: 401 for no key or a wrong one, 403 for a role that may not use the route, or `loopback_only`.
    """
    caller = _holder(request, keys) if keys else _local(request, public_url)
    if caller is ONLOOKER and not route.is_for(caller.role):
        raise Refused(403, "forbidden", f"without keys this machine's programs may only read; {_ADVICE}")
    if not route.is_for(caller.role):
        needed = " or ".join(role.value for role in route.roles)
        raise Refused(403, "forbidden", f"a key with the role {caller.role.value} may not do this; use {needed}")
    return caller


def _local(request: Request, public_url: str) -> Caller:
    if why := why_not_local(request):
        raise Refused(403, "loopback_only", f"without keys the API is for this machine only, and {why}: {_ADVICE}")
    return LOOPBACK if is_loopback(public_url) else ONLOOKER


def _holder(request: Request, keys: Sequence[ApiKey]) -> Caller:
    offered = _offered(request)
    if not offered:
        raise _unauthorized("send a key of CALLGUARD_API_KEY as x-api-key or as Authorization: Bearer")
    found = None
    wanted = _digest(offered)
    for key in keys:  # all of them, so that the time tells nothing of which one nearly fits
        if hmac.compare_digest(_digest(key.key), wanted):
            found = key
    if found is None:
        raise _unauthorized("this key is not among those of CALLGUARD_API_KEY; send the part after name:role:")
    return Caller(found.name, found.role)


def _offered(request: Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return request.headers.get("x-api-key", "") or (token.strip() if scheme.lower() == "bearer" else "")


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="replace")).digest()


def _unauthorized(message: str) -> Refused:
    return Refused(401, "unauthorized", message, headers=_CHALLENGE)
