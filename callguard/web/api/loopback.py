"""Requests of this machine's own programs, which need no key where none is configured.

A proxy on this machine connects from loopback too, for anybody; and a web page can make a browser here ask: by a
name of its own that resolves to 127.0.0.1 (DNS rebinding, seen in `Host`) or across sites (seen in `Origin`).
"""

import re
from ipaddress import IPv6Address, ip_address

from flask import Request

from callguard.config.urls import is_loopback

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
    """A peer on a Unix socket has no address: nobody knows for whom it asks."""
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
