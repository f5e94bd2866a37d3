"""The simulated Twilio as a server: Twilio's REST API for calls, and its own surface beside it."""

import asyncio
import socket
from types import TracebackType

from aiohttp import web

from callguard.simulator.config import SimulatorConfig
from callguard.simulator.control import ControlSurface
from callguard.simulator.delivery import Delivery
from callguard.simulator.hosted_account import HostedAccount
from callguard.simulator.rest import RestApi

_GOODBYE_SECONDS = 0.5  # what requests under way are given to end


class Simulator:
    """A simulated Twilio on the running event loop.

    An async context manager: entering binds the port (raises `OSError` when it is taken), leaving closes all
    connections and forgets all calls.
    """

    def __init__(self, config: SimulatorConfig) -> None:
        self.config = config
        self._closing = asyncio.Event()
        self._delivery = Delivery(config.callback_concurrency)
        self.accounts = {
            account.sid: HostedAccount(account, config.seed, self._delivery) for account in config.accounts
        }
        self._rest = RestApi(self.accounts, config.seed, self._closing)
        self._control = ControlSurface(self.accounts)
        # The bare server, without routes and access log: it shares the machine with what is measured.
        self._runner = web.ServerRunner(
            web.Server(self._answer, access_log=None), shutdown_timeout=_GOODBYE_SECONDS
        )

    async def __aenter__(self) -> "Simulator":
        self._socket = _bound_socket(self.config.host, self.config.port)
        await self._runner.setup()
        await web.SockSite(self._runner, self._socket, backlog=1024).start()
        await self._delivery.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        for account in self.accounts.values():
            account.stop()
        await self._runner.cleanup()
        await self._delivery.stop()

    @property
    def port(self) -> int:
        """The port that was bound."""
        return int(self._socket.getsockname()[1])

    @property
    def url(self) -> str:
        """Where the REST API answers: what to put in the place of `https://api.twilio.com`."""
        host = self.config.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        surface = self._control if request.raw_path.startswith("/simulator/") else self._rest
        try:
            return await surface.answer(request)
        except ConnectionError:
            return web.Response()  # the client left amid its request, and nobody will read this


def _bound_socket(host: str, port: int) -> socket.socket:
    """A listening address of our own, so that port 0 can be asked for and then told."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound
