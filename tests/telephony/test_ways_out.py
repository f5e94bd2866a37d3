"""Proxies, certificates, regions and keys: Twilio is reached as the environment and the settings say."""

import asyncio
import base64
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from callguard.config.accounts import Account
from callguard.config.errors import ConfigurationError
from callguard.config.settings import load_settings
from callguard.domain.replies import CancelReply
from callguard.errors import TwilioRefused, TwilioUnavailable
from callguard.simulator import (
    SANDBOX_ACCOUNT_SID,
    SANDBOX_AUTH_TOKEN,
    AccountConfig,
    RunningSimulator,
    SimulatorConfig,
    running,
)
from callguard.telephony.calls import TwilioCalls
from callguard.telephony.cancelling import TwilioCanceller
from callguard.telephony.http_client import PooledHttpClient
from tests.requires import skip_or_fail
from tests.threaded_listener import ThreadedListener, shut

SID = SANDBOX_ACCOUNT_SID
KEY, SECRET = "SK" + "1" * 32, "a-secret-of-an-api-key"
VARIABLES = ("https_proxy", "http_proxy", "all_proxy", "no_proxy", "requests_ca_bundle", "curl_ca_bundle")
BASE = {"TWILIO_ACCOUNT_SID": SID, "TWILIO_AUTH_TOKEN": "a" * 32, "CALLGUARD_PUBLIC_URL": "https://g.example.com"}


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*VARIABLES, "twilio_region", "twilio_edge", "ssl_cert_file"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def twilio() -> Iterator[RunningSimulator]:
    with running(SimulatorConfig(accounts=(AccountConfig(latency=0.0, api_keys=((KEY, SECRET),)),))) as simulated:
        yield simulated


class Source(ThreadedListener):
    """Listens on loopback; what a connection is led to is said by `lead`."""

    def __init__(self, lead: Callable[["Source", socket.socket], socket.socket | None]) -> None:
        self._lead = lead
        self.asked: list[bytes] = []
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(listener.getsockname()[1])
        super().__init__(listener)

    def serve(self, client: socket.socket) -> None:
        try:
            with TLS.wrap_socket(client, server_side=True) if self._lead is plainly else client as inside:
                upstream = self._lead(self, inside)
                if upstream is None:
                    return
                with upstream:
                    self.open |= {inside, upstream}
                    back = threading.Thread(target=_passed, args=(upstream, inside), daemon=True)
                    back.start()
                    _passed(inside, upstream)
                    back.join(5)
        except OSError:
            return


TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
PLAIN_PORT: list[int] = []


def plainly(_door: Source, _client: socket.socket) -> socket.socket:
    """Lead what came by TLS to the simulated Twilio."""
    return socket.create_connection(("127.0.0.1", PLAIN_PORT[0]))


def by_connect(source: Source, client: socket.socket) -> socket.socket | None:
    """Be a proxy: CONNECT to a host and port, or a whole URL."""
    head = client.recv(65536)
    source.asked.append(head)
    method, target, _ = head.split(b" ", 2)
    if method == b"CONNECT":
        port = int(target.rpartition(b":")[2])
        upstream = socket.create_connection(("127.0.0.1", port))
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return upstream
    host = target.split(b"/")[2]
    upstream = socket.create_connection(("127.0.0.1", int(host.rpartition(b":")[2])))
    upstream.sendall(head.replace(b"http://" + host, b"", 1))
    return upstream


def _passed(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    shut(sink)
    shut(source)


@pytest.fixture
def proxy() -> Iterator[Source]:
    source = Source(by_connect)
    yield source
    source.close()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificate of a company of our own, for localhost."""
    if shutil.which("openssl") is None:
        skip_or_fail("there is no openssl on this machine")
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "ca.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    TLS.load_cert_chain(certificate, key)
    return certificate


@pytest.fixture
def tls_url(bundle: Path, twilio: RunningSimulator) -> Iterator[str]:
    """The simulated Twilio by TLS."""
    PLAIN_PORT[:] = [int(twilio.url.rpartition(":")[2])]
    source = Source(plainly)
    yield f"https://localhost:{source.port}"
    source.close()


Ask = Callable[[Account, str], object]


def synchronous(account: Account, url: str) -> object:
    client = PooledHttpClient(timeout=5.0)
    try:
        return next(TwilioCalls({SID: account}, url, client).queued_calls(SID)).calls
    finally:
        client.close()


def asynchronous(account: Account, url: str) -> object:
    async def cancel() -> CancelReply:
        async with TwilioCanceller({SID: account}, url, timeout=5.0) as canceller:
            return await canceller.cancel(SID, "CA" + "0" * 32)

    return asyncio.run(cancel())


both = pytest.mark.parametrize(("ask", "answer"), [(synchronous, []), (asynchronous, CancelReply.GONE)])
TOKENS = Account(SID, (SANDBOX_AUTH_TOKEN,))


@both
@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_it_goes_by_the_proxy(
    ask: Callable[[Account, str], object], answer: object, name: str, tls_url: str, bundle: Path, proxy: Source,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    monkeypatch.setenv(name, f"http://user:p%40ss@127.0.0.1:{proxy.port}")

    assert ask(TOKENS, tls_url) == answer

    assert [head.split(b" ")[0] for head in proxy.asked] == [b"CONNECT"]
    assert base64.b64encode(b"user:p@ss") in proxy.asked[0]
    assert SANDBOX_AUTH_TOKEN.encode() not in proxy.asked[0]


@both
def test_no_proxy_excepts(
    ask: Callable[[Account, str], object], answer: object, tls_url: str, bundle: Path, proxy: Source,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("CURL_CA_BUNDLE", str(bundle))
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
    monkeypatch.setenv("NO_PROXY", "example.com,localhost")

    assert ask(TOKENS, tls_url) == answer
    assert not proxy.asked


@both
def test_plain_http_goes_by_its_proxy(
    ask: Callable[[Account, str], object], answer: object, twilio: RunningSimulator, proxy: Source,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("HTTP_PROXY", f"127.0.0.1:{proxy.port}")

    assert ask(TOKENS, twilio.url) == answer
    assert proxy.asked


@both
def test_a_proxy_that_is_away_is_named(
    ask: Callable[[Account, str], object],
    answer: object,
    twilio: RunningSimulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://user:secret@127.0.0.1:1")

    with pytest.raises(TwilioUnavailable, match=r"by the proxy 127\.0\.0\.1") as told:
        ask(TOKENS, twilio.url)
    assert "secret" not in str(told.value)


@both
def test_a_proxy_that_nobody_speaks_to_is_refused(
    ask: Callable[[Account, str], object],
    answer: object,
    twilio: RunningSimulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")

    with pytest.raises(TwilioUnavailable, match="socks5"):
        ask(TOKENS, twilio.url)


@both
@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_only_what_is_trusted_is_spoken_to(
    ask: Callable[[Account, str], object], answer: object, name: str, tls_url: str, bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with pytest.raises(TwilioUnavailable, match=r"https://localhost:\d+"):
        ask(TOKENS, tls_url)
    monkeypatch.setenv(name, str(bundle))
    assert ask(TOKENS, tls_url) == answer
    monkeypatch.setenv(name, str(bundle) + ".gone")
    with pytest.raises(TwilioUnavailable, match=name):
        ask(TOKENS, tls_url)


@both
def test_an_explicit_url_is_asked_whatever_region_and_edge_say(
    ask: Callable[[Account, str], object],
    answer: object,
    twilio: RunningSimulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TWILIO_REGION", "au1")
    monkeypatch.setenv("TWILIO_EDGE", "sydney")

    assert ask(TOKENS, twilio.url) == answer


@both
def test_an_account_has_an_api_key_and_a_url_of_its_own(
    ask: Callable[[Account, str], object], answer: object, twilio: RunningSimulator
) -> None:
    account = Account(SID, ("0" * 32,), api_key=KEY, api_secret=SECRET, api_url=twilio.url)

    assert ask(account, "http://127.0.0.1:1") == answer
    with pytest.raises(TwilioRefused):
        ask(Account(SID, ("0" * 32,), api_key=KEY, api_secret="wrong"), twilio.url)


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({}, "https://api.twilio.com"),
        ({"TWILIO_REGION": "ie1"}, "https://api.ie1.twilio.com"),
        ({"TWILIO_EDGE": "dublin"}, "https://api.dublin.us1.twilio.com"),
        ({"TWILIO_EDGE": "sydney", "TWILIO_REGION": "au1"}, "https://api.sydney.au1.twilio.com"),
        (
            {"TWILIO_EDGE": "sydney", "CALLGUARD_TWILIO_API_URL": "https://api.twilio.com"},
            "https://api.twilio.com",
        ),
    ],
)
def test_region_and_edge_say_where_the_default_is(given: dict[str, str], url: str) -> None:
    assert load_settings({**BASE, **given}).twilio_api_url == url


def test_a_region_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="TWILIO_REGION"):
        load_settings({**BASE, "TWILIO_REGION": "evil.example.com/"})
