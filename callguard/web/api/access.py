"""Who may ask what, and who needs no key: this machine's own programs, where none is configured.

A proxy on this machine connects from loopback too, for anybody. A web page can make a browser here ask: by a name
of its own that resolves to 127.0.0.1 (DNS rebinding, seen in `Host`) or across sites (seen in `Origin`).
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from flask import Request

from callguard.config.api_keys import ApiKey, Role
from callguard.config.urls import is_loopback
from callguard.domain.results import ApiRefusal
from callguard.web.api.error_answers import Refused
from callguard.web.api.routes import Route

_ADVICE = "set CALLGUARD_API_KEY to name:role:key where the guard runs, and send the key as x-api-key"
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="callguard"'}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the name of the key, or `loopback`; and what it may do."""

    name: str
    role: Role


LOOPBACK = Caller("loopback", Role.OPERATOR)


class NotAdmitted(Refused):
    """A caller was refused; `reason` is how the refusal is counted."""

    def __init__(self, reason: ApiRefusal, http_status: int, code: str, message: str) -> None:
        """Keep the reason; a 401 says how to send a key."""
        super().__init__(http_status, code, message, headers=_CHALLENGE if http_status == 401 else None)
        self.reason = reason


def admit(request: Request, keys: Sequence[ApiKey], route: Route, public_url: str) -> Caller:
    """Return the caller, if the route is open to it.

    Raises:
        NotAdmitted: as `caller_of` does, and 403 for a role that may not use the route.
    """
    caller = caller_of(request, keys, public_url)
    if not route.is_for(caller.role):
        raise wrong_role(caller, route.roles)
    return caller


def caller_of(request: Request, keys: Sequence[ApiKey], public_url: str) -> Caller:
    """Return the caller.

    Raises:
        NotAdmitted: 401 for no key or a wrong one; without any keys 403.
    """
    return _holder(request, keys) if keys else _local(request, public_url)


def wrong_role(caller: Caller, roles: Sequence[Role]) -> NotAdmitted:
    """Return the refusal of a key whose role is not among those that may."""
    needed = " or ".join(role.value for role in roles)
    message = f"a key with the role {caller.role.value} may not do this; use {needed}"
    return NotAdmitted(ApiRefusal.WRONG_ROLE, 403, "forbidden", message)


def offered_key(request: Request) -> str:
    """Return what a request offers as its key: `x-api-key`, or a bearer token; empty for nothing."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return request.headers.get("x-api-key", "") or (token.strip() if scheme.lower() == "bearer" else "")


def is_same(offered: str, secret: str) -> bool:
    """Compare in constant time, so that the time does not show how much fits."""
    return hmac.compare_digest(_digest(offered), _digest(secret))


def _local(request: Request, public_url: str) -> Caller:
    """Allow local programs, unless the guard is public: then a local proxy or tunnel may speak for anybody."""
    why = why_not_local(request)
    if not why and not is_loopback(public_url):
        why = "CALLGUARD_PUBLIC_URL is public, so that the request may be anybody's"
    if why:
        message = f"without keys the API is for this machine only, and {why}: {_ADVICE}"
        raise NotAdmitted(ApiRefusal.NOT_LOCAL, 403, "loopback_only", message)
    return LOOPBACK


def _holder(request: Request, keys: Sequence[ApiKey]) -> Caller:
    offered = offered_key(request)
    if not offered:
        message = "send a key of CALLGUARD_API_KEY as x-api-key or as Authorization: Bearer"
        raise NotAdmitted(ApiRefusal.NO_KEY, 401, "unauthorized", message)
    # Compare with all keys, so that the time does not show which one nearly fits.
    found = [key for key in keys if is_same(offered, key.key)]
    if not found:
        message = "this key is not among those of CALLGUARD_API_KEY; send the part after name:role:"
        raise NotAdmitted(ApiRefusal.WRONG_KEY, 401, "unauthorized", message)
    return Caller(found[-1].name, found[-1].role)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="replace")).digest()


_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::[0-9]{1,5})?")
_OF_PROXIES = ("Forwarded", "X-Real-IP", "Via")


def why_not_local(request: Request) -> str:
    """Return why a request cannot be taken for one of this machine's own programs; empty if it can."""
    if not _is_loopback_address(request.environ.get("REMOTE_ADDR", "")):
        return "the request is not from this machine"
    if _is_forwarded(request):
        return "a proxy has forwarded the request"
    host, origin = request.headers.get("Host", ""), request.headers.get("Origin")
    if not _HOST.fullmatch(host) or not is_loopback(f"//{host}"):
        return "the Host header is no name of this machine such as localhost"
    if origin is not None and not is_loopback(origin):
        return "a web page of another site sends the request"
    return ""


def _is_loopback_address(text: str) -> bool:
    """Return whether a peer is local. A peer on a Unix socket has no address, and may speak for anybody."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback


def _is_forwarded(request: Request) -> bool:
    if request.environ.get("SERVER_PROTOCOL") == "HTTP/1.0":  # no program of ours speaks it, but nginx does
        return True
    names = [name.lower() for name, _ in request.headers]
    return any(name.startswith("x-forwarded") or name in map(str.lower, _OF_PROXIES) for name in names)
