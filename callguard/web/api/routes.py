"""What a route is: the same table makes the app's routes, who may use them, and the OpenAPI document."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from flask import Response
from pydantic import BaseModel

from callguard.config.accounts import Account
from callguard.config.api_keys import Role
from callguard.web.api.error_answers import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method of one path.

    Attributes:
        name: unique; the OpenAPI document's `operationId`.
        method: in capitals.
        path: as Flask writes it, such as `/api/accounts/<sid>`; all parameters are text.
        tag: the group that it is shown in, one of `openapi.TAGS`.
        summary: what it does, for people.
        view: answers a request; it is given the path's parameters by name.
        reply: the JSON of a good answer; None for a document of any shape.
        http_status: of a good answer.
        body: the JSON that it takes, if any.
        refusals: the further HTTP statuses that it may answer with.
        for_reporters: whether the role `reporter` may use it.
        is_open: whether no key is needed.
        query: what may stand behind the `?`, each a boolean, and what it does.
    """

    name: str
    method: str
    path: str
    tag: str
    summary: str
    view: Callable[..., Response]
    reply: type[BaseModel] | None
    http_status: int = 200
    body: type[BaseModel] | None = None
    refusals: tuple[int, ...] = ()
    for_reporters: bool = False
    is_open: bool = False
    query: Mapping[str, str] = field(default_factory=dict)

    def is_for(self, role: Role) -> bool:
        """Return whether a key with this role may use the route."""
        if role is Role.OPERATOR:
            return True
        return self.for_reporters if role is Role.REPORTER else self.method == "GET"

    @property
    def roles(self) -> tuple[Role, ...]:
        """The roles that may use the route."""
        return tuple(role for role in Role if self.is_for(role))


def answer(reply: BaseModel, http_status: int = 200) -> Response:
    """Return a good answer."""
    return Response(reply.model_dump_json(by_alias=True), http_status, content_type="application/json")


def known_account(accounts: Mapping[str, Account], sid: str) -> Account:
    """Return a configured account.

    Raises:
        Refused: 404 `unknown_account`.
    """
    account = accounts.get(sid)
    if account is None:
        raise Refused(
            404, "unknown_account", "no such account is configured; GET /api/accounts lists those that are"
        )
    return account
