"""Proxies and certificates for requests to Twilio, from the environment, for both HTTP clients.

The twilio library's own client is `requests`, so what `requests` honours counts here, by its own functions:
HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY (also in small letters), REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE.
OpenSSL itself looks at SSL_CERT_FILE and SSL_CERT_DIR. aiohttp's own `trust_env` knows no ALL_PROXY and no bundle,
and reads ~/.netrc beside, which would send other credentials than ours.
"""

import os
import ssl
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

import urllib3
from requests.utils import (
    get_auth_from_url,
    get_environ_proxies,
    prepend_scheme_if_needed,
    select_proxy,
    urldefragauth,
)

from callguard.errors import TwilioUnavailable

_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def proxy_of(url: str) -> str | None:
    """Return the proxy by which `url` is to be reached; None for none.

    Raises:
        TwilioUnavailable: its scheme, which is named, is not supported.
    """
    proxy = _named_proxy(url)
    if proxy is None:
        return None
    scheme = urlsplit(proxy).scheme.lower()
    if scheme not in ("http", "https"):
        raise TwilioUnavailable(
            f"the environment names a proxy with {scheme}://, and only http:// and https:// can be used: correct "
            "HTTPS_PROXY or ALL_PROXY, or except Twilio by NO_PROXY"
        )
    return proxy


class WaysOut:
    """The proxy of each origin, looked up once: that takes longer than all else that we do for a request."""

    def __init__(self) -> None:
        """Know none yet."""
        self._known: dict[str, str | None] = {}

    def proxy_of(self, url: str) -> str | None:
        """Return what `proxy_of` returns. Raises as it does."""
        origin = url[: url.find("/", len("https://"))]
        if origin not in self._known:
            self._known[origin] = proxy_of(url)
        return self._known[origin]


def shown(url: str) -> str:
    """Return scheme and host of the URL that is asked, and the proxy's host if there is one: nothing secret."""
    parts = urlsplit(url)
    proxy = _named_proxy(url)
    by = f" by the proxy {urlsplit(proxy).hostname}" if proxy else ""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{by}"


def _named_proxy(url: str) -> str | None:
    proxy = select_proxy(url, get_environ_proxies(url))
    whole: str | None = prepend_scheme_if_needed(proxy, "http") if proxy else None  # type: ignore[no-untyped-call]
    return whole


def pool_by(proxy: str, connections: int) -> urllib3.ProxyManager:
    """Return a pool that goes by the proxy."""
    user, password = get_auth_from_url(proxy)
    headers = urllib3.make_headers(proxy_basic_auth=f"{user}:{password}") if user else None
    return urllib3.ProxyManager(
        urldefragauth(proxy),
        proxy_headers=headers,
        num_pools=4,
        maxsize=connections,
        block=False,
        retries=False,
        ssl_context=trusted(),
        proxy_ssl_context=trusted(),
    )


def trusted() -> ssl.SSLContext:
    """Return what TLS trusts.

    Raises:
        TwilioUnavailable: a variable, which is named, points to no bundle.
    """
    named = next(((name, os.environ[name]) for name in _BUNDLES if os.environ.get(name)), ("", ""))
    return _context(*named)


@lru_cache(maxsize=4)
def _context(name: str, bundle: str) -> ssl.SSLContext:
    if not bundle:
        return ssl.create_default_context()
    try:
        if Path(bundle).is_dir():
            return ssl.create_default_context(capath=bundle)
        return ssl.create_default_context(cafile=bundle)
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise TwilioUnavailable(
            f"{name} names no bundle of certificates ({reason}): correct it, or unset it"
        ) from None
