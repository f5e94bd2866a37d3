"""Twilio's own recipe for cancelling queued calls, and what people make of it.

The recipe (https://support.twilio.com/hc/en-us/articles/42388541794075) lists all queued calls with the Node
library, then sends `Status=completed` for each at once, in the order of the list. The library leaves the size of
pages to Twilio (50) and does not try again. It opens 20 connections at most (DEFAULT_MAX_SOCKETS in
https://github.com/twilio/twilio-node/blob/main/src/base/RequestClient.ts); others, and it in its early days, open
as many as there are requests. No rejected promise is caught, so Node (15 and later) ends with the first.
"""

import asyncio
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urljoin

import aiohttp

from tests.stack import TOKEN

LIST_OF_LIBRARY, MAX_PAGE = None, 1000
SOCKETS_OF_LIBRARY = 20
NO_LIMIT = 0


@dataclass(frozen=True)
class Recipe:
    """How a script goes about it.

    Attributes:
        name: what it is called in the report.
        connections: most requests at once; 0 for as many as there are calls.
        page_size: of the list; None for Twilio's default.
        dies: whether the first request that fails ends the script.
        tries: how often a request is sent that is answered 429.
    """

    name: str
    connections: int
    page_size: int | None = LIST_OF_LIBRARY
    dies: bool = False
    tries: int = 1


@dataclass(frozen=True)
class RecipeRun:
    """What a script has done, in seconds since its start. `died` says what ended it before its end."""

    recipe: Recipe
    listed: int
    list_seconds: float
    seconds: float
    answered: int
    errors: int
    died: str = ""
    was_stopped: bool = False

    @property
    def projected_seconds(self) -> float:
        """How long it would have taken if it had gone on as it did: the list, and each update as those so far."""
        if not self.was_stopped or not self.answered:
            return self.seconds
        return self.list_seconds + (self.seconds - self.list_seconds) * self.listed / self.answered


class _Died(Exception):
    """A promise was rejected, and nobody caught it."""


class _Script:
    def __init__(self, recipe: Recipe, url: str, sid: str) -> None:
        self._recipe = recipe
        self._calls = f"{url}/2010-04-01/Accounts/{sid}/Calls"
        self._headers = {"Authorization": f"Basic {b64encode(f'{sid}:{TOKEN}'.encode()).decode()}"}
        self.listed: list[str] = []
        self.answered = 0
        self.errors = 0
        self.listed_at = 0.0

    def _session(self) -> aiohttp.ClientSession:
        timeout = aiohttp.ClientTimeout(total=None, sock_read=30)
        return aiohttp.ClientSession(
            headers=self._headers, connector=aiohttp.TCPConnector(limit=0), timeout=timeout
        )

    async def list_alone(self) -> None:
        async with self._session() as session:
            await self._list(session)

    async def run(self) -> None:
        async with self._session() as session:
            await self._list(session)
            self.listed_at = time.monotonic()
            calls = iter(self.listed)
            hands = self._recipe.connections or len(self.listed)
            tasks = [asyncio.ensure_future(self._update_all(session, calls)) for _ in range(hands)]
            try:
                await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _list(self, session: aiohttp.ClientSession) -> None:
        size = {"PageSize": str(self._recipe.page_size)} if self._recipe.page_size else {}
        next_page: str | None = f"{self._calls}.json"
        parameters: dict[str, str] | None = {"Status": "queued", **size}
        while next_page:
            async with session.get(next_page, params=parameters) as answer:
                page = await answer.json()
            self.listed += [call["sid"] for call in page["calls"]]
            next_page = urljoin(self._calls, page["next_page_uri"]) if page["next_page_uri"] else None
            parameters = None

    async def _update_all(self, session: aiohttp.ClientSession, calls: Iterator[str]) -> None:
        """Be one of the connections: update one call after the other, as they were listed."""
        for call_sid in calls:
            await self._update(session, call_sid)

    async def _update(self, session: aiohttp.ClientSession, call_sid: str) -> None:
        for left in reversed(range(self._recipe.tries)):
            async with session.post(f"{self._calls}/{call_sid}.json", data={"Status": "completed"}) as answer:
                await answer.read()
            if answer.status != 429 or not left:
                break
            await asyncio.sleep(0.1)
        self.answered += 1
        if answer.status >= 300:
            self.errors += 1
            if self._recipe.dies:
                raise _Died(str(answer.status))


async def follow(recipe: Recipe, url: str, sid: str, most_seconds: float) -> RecipeRun:
    """Run a script to its end, or stop it after so many seconds."""
    script, began = _Script(recipe, url, sid), time.monotonic()
    died, stopped = "", False
    try:
        await asyncio.wait_for(script.run(), most_seconds)
    except _Died as error:
        died = str(error)
    except TimeoutError:
        stopped = True
    except aiohttp.ClientError as error:
        died = type(error).__name__
    seconds = time.monotonic() - began
    listed_at = script.listed_at - began if script.listed_at else seconds
    return RecipeRun(
        recipe, len(script.listed), listed_at, seconds, script.answered, script.errors, died, was_stopped=stopped
    )


def follow_all(recipes: Sequence[tuple[Recipe, str]], url: str, most_seconds: float) -> list[RecipeRun]:
    """Run scripts beside each other, each on an account of its own."""

    async def run() -> list[RecipeRun]:
        return await asyncio.gather(*(follow(recipe, url, sid, most_seconds) for recipe, sid in recipes))

    return asyncio.run(run())


def list_queued(url: str, sid: str) -> list[str]:
    """Return the account's queued calls, in the order of the list."""

    async def run() -> list[str]:
        script = _Script(Recipe("list", 1, MAX_PAGE), url, sid)
        await script.list_alone()
        return script.listed

    return asyncio.run(run())
