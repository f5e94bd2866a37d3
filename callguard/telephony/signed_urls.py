"""Which other URL Twilio may have signed: to tell an operator what is wrong with the one that is configured."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from urllib.parse import urlsplit

_HOST = re.compile(r"[0-9A-Za-z.-]{1,253}(?::[0-9]{1,5})?")
_PATH = re.compile(r"/[!$-~]{0,1000}")
_QUERY = re.compile(r"[!$-~]{0,8000}")


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a request came in.

    Attributes:
        expected_path: the path that it should have had, below the public URL.
        path: the path that it had.
        raw_query: its query, as it came.
        host: its Host header. It does not prove who sent the request: only a signature over it does.
    """

    expected_path: str
    path: str
    raw_query: str
    host: str


def other_urls(public_url: str, arrival: Arrival) -> Iterator[str]:
    """Yield URLs that an operator may have given Twilio by mistake: another path, slash, query or host."""
    public = urlsplit(public_url)
    prefix = public.path.rstrip("/")
    prefixes = dict.fromkeys((prefix, ""))
    paths = (arrival.expected_path, arrival.path, f"{arrival.expected_path}/")
    queries = dict.fromkeys((public.query, arrival.raw_query, ""))
    for host, start, path, query in product(_bases(public_url, arrival.host), prefixes, _distinct(paths), queries):
        if _PATH.fullmatch(path) and _QUERY.fullmatch(query):
            yield f"{host}{start}{path}{'?' if query else ''}{query}"


def _bases(public_url: str, host: str) -> tuple[str, ...]:
    public = urlsplit(public_url)
    name = public.netloc.rpartition("@")[2]
    bare = re.sub(r":\d*$", "", name)
    port = public.port or (443 if public.scheme == "https" else 80)
    bases = [f"{public.scheme}://{bare}", f"{public.scheme}://{bare}:{port}"]
    if _HOST.fullmatch(host) and host not in (bare, name):
        bases += [f"https://{host}", f"http://{host}"]
    return _distinct(bases)


def _distinct(texts: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))
