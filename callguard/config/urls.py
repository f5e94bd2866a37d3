"""The URLs among the settings: checked, and shown without their secrets.

Errors never repeat what they were given: it may hold a password.
"""

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, unquote, urlsplit

MASK = "*****"

_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
_QUERY_VALUE = re.compile(r"=[^&#]*")
_ANY_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[!-~]+")


def public_url(text: str) -> str:
    """Return the URL at which Twilio reaches the guard, unchanged: signatures are made over it.

    Raises:
        ValueError: no signature could be checked against it.
    """
    if _without_user(text).path.rstrip("/").endswith("/twilio/status"):
        raise ValueError("should end before /twilio/status: write the base, CallGuard adds /twilio/status")
    return text


def api_url(text: str) -> str:
    """Return the address of Twilio's REST API, without a trailing slash.

    Raises:
        ValueError: it is not one.
    """
    _without_user(text)
    if "?" in text:
        raise ValueError("should have no query string")
    return text.rstrip("/")


def webhook_url(text: str) -> str:
    """Return a URL that Twilio fetches TwiML from. Its fragment may hold connection overrides (`#rc=2&rp=all`).

    Raises:
        ValueError: Twilio could not fetch it, or it holds a password, which would be shown.
    """
    _without_user(text.partition("#")[0])
    _split(text)
    return text


def under(public_url: str, path: str) -> str:
    """Return the URL of one of the guard's own pages, with the query of `public_url` if it has one.

    >>> under("https://guard.example.com/a/?b=c", "/twilio/agent")
    'https://guard.example.com/a/twilio/agent?b=c'
    """
    parts = urlsplit(public_url)
    return parts._replace(path=parts.path.rstrip("/") + path).geturl()


def notify_url(text: str) -> str:
    """Return a URL that notifications are sent to, of any scheme: which there are is known to `callguard.notify`.

    Raises:
        ValueError: it is not one.
    """
    if text.lower().startswith(("http://", "https://")):
        _web(text)
    elif not (_ANY_URL.fullmatch(text) and _can_be_split(text)):  # a token may stand where others have the port
        raise ValueError("should be a URL such as https://chat.example.com/hook, without spaces")
    return text


def redis_url(text: str) -> str:
    """Return a URL of Redis. What the client library takes after its `?`, `callguard.redis_client` knows.

    Raises:
        ValueError: it is not one.
    """
    try:
        parts = _split(text)
    except ValueError as error:
        raise ValueError(f"{error}; in a password write # / ? @ : as %23 %2F %3F %40 %3A") from None
    if "#" in text:  # what follows would be left out, and with it the host behind a password
        raise ValueError("should have no #; in a password write %23")
    if parts.scheme == "unix":
        if not parts.path.startswith("/"):
            raise ValueError("should name the socket by its full path")
    elif parts.scheme not in ("redis", "rediss"):
        raise ValueError("should begin with redis://, rediss:// or unix://")
    elif not _is_host(parts.hostname):
        raise ValueError("should have a host after redis://")
    elif not re.fullmatch(r"/?|/\d+/?", parts.path):
        raise ValueError("should end with the number of a database, such as /0")
    return text


def is_loopback(url: str) -> bool:
    """Return whether a URL's host is this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def masked_url(url: str) -> str:
    """Return a URL without its password and without the values of its query; other text is returned as it is.

    Text before the last `@` is masked even if the rest is no URL: it may be a mistyped password.
    """
    before, has_slashes, after = url.partition("//")
    if not has_slashes:
        before, after = "", url
    address, has_query, query = after.partition("?")
    if "@" in address and (has_slashes or not address.startswith(("sip:", "sips:"))):
        address = f"{MASK}@{address.rpartition('@')[2]}"
    if "@" in query:
        query = MASK
    return f"{before}{has_slashes}{address}{has_query}{_QUERY_VALUE.sub(f'={MASK}', query)}"


def host_only(url: str) -> str:
    """Return what may be shown of a URL for notifications: the path of a webhook is its password.

    Of other schemes only the scheme is shown: where a host would stand, many have a token.
    """
    scheme, _, rest = url.partition("://")
    if scheme.lower() not in ("http", "https"):
        return f"{scheme}://{MASK}"
    return f"{scheme}://{urlsplit(f'//{rest}').netloc.rpartition('@')[2]}/{MASK}"


def url_secrets(url: str) -> tuple[str, ...]:
    """Return the password of a URL and a `password` in its query, as written and decoded."""
    parts = urlsplit(url)
    passwords = re.findall(r"(?:^|&)password=([^&]*)", parts.query)
    passwords += [parts.password] if parts.password else []
    return tuple(dict.fromkeys([*passwords, *map(unquote, passwords)]))


def _without_user(text: str) -> SplitResult:
    parts = _web(text)
    if "@" in parts.netloc:
        raise ValueError("should have no user name or password")
    return parts


def _web(text: str) -> SplitResult:
    parts = _split(text)
    if parts.scheme not in ("http", "https"):
        raise ValueError("should begin with https:// (or http://)")
    if not _is_host(parts.hostname):
        raise ValueError("should have a host after https://")
    if "#" in text:
        raise ValueError("should have no fragment (#...)")
    return parts


def _split(text: str) -> SplitResult:
    if not re.fullmatch(r"[!-~]+", text):
        raise ValueError("should hold no spaces and only ASCII characters (percent-encode others)")
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise ValueError("should have a host and a port that can be") from None
    return parts


def _can_be_split(text: str) -> bool:
    try:
        urlsplit(text)
    except ValueError:
        return False
    return True


def _is_host(host: str | None) -> bool:
    return host is not None and _HOST.fullmatch(host) is not None
