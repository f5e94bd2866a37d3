"""Showing settings without their secrets."""

import re
from urllib.parse import unquote, urlsplit

MASK = "*****"

_QUERY_VALUE = re.compile(r"=[^&#]*")


def masked_url(url: str) -> str:
    """Return a URL without its password and without the values of its query; other text is returned as it is.

    What stands before the last `@` is masked even where the rest is no URL: it may be a mistyped password.
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
