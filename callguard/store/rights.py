"""The rights that the guard's user needs at Redis, tried one by one: an ACL shows only in what it refuses.

The whole line for `users.acl`, or for `ACL SETUSER`, is `ACL_RULES`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from redis import Redis
from redis.exceptions import NoPermissionError, ResponseError

ACL_RULES = "~callguard:* ~rq:* &rq:* +@all -@admin -@dangerous +info +client|list"
"""For one server that holds everything; where RQ has a server of its own, each needs only its own keys."""


@dataclass(frozen=True, slots=True)
class Right:
    """What to grant, the command that shows whether it is there, and what for."""

    rule: str
    command: tuple[str, ...]
    purpose: str


GUARD_RIGHTS = (
    Right("+@write ~callguard:*", ("SET", "callguard:writable", "1", "EX", "60"), "to count callbacks"),
    Right("+@read ~callguard:*", ("HGETALL", "callguard:heartbeats"), "to see what is counted"),
    Right("+eval +evalsha", ("EVAL", "return redis.call('GET', KEYS[1])", "1", "callguard:writable"), "to decide"),
    Right("+evalsha", ("EVALSHA", "0" * 40, "0"), "to decide"),
    Right("+xlen", ("XLEN", "callguard:{notices}:outbox"), "to relay notices"),
    Right("+@transaction", ("DISCARD",), "to write several things at once"),
    Right("+info", ("INFO", "replication"), "to know whether a pause is kept"),
    Right("+wait", ("WAIT", "0", "1"), "to know whether a pause is kept"),
)

QUEUE_RIGHTS = (
    Right("+@write ~rq:*", ("SET", "rq:callguard:writable", "1", "EX", "60"), "to wake cancel workers"),
    Right("+@read ~rq:*", ("SMEMBERS", "rq:workers"), "to see who waits"),
    Right("+@transaction", ("DISCARD",), "to wake cancel workers"),
    Right("+client|list", ("CLIENT", "LIST"), "for RQ's workers to see which of them live"),
    Right("+client|setname", ("CLIENT", "SETNAME", "callguard"), "for RQ's workers to be told apart"),
    Right("+publish &rq:*", ("PUBLISH", "rq:pubsub:callguard", ""), "for RQ to reach its workers"),
    Right("+blmove", ("BLMOVE", "rq:callguard:none", "rq:callguard:none", "LEFT", "LEFT", "0.01"), "to take jobs"),
)


def missing_rights(connection: Redis, needed: Sequence[Right]) -> list[Right]:
    """Try each of the rights and return those that are refused; writes nothing but a key that expires.

    Raises:
        redis.RedisError: the server did not answer.
    """
    return [right for right in needed if _is_refused(connection, right)]


def _is_refused(connection: Redis, right: Right) -> bool:
    try:
        connection.execute_command(*right.command)  # type: ignore[no-untyped-call]
    except NoPermissionError:
        return True
    except ResponseError as error:
        return "NOPERM" in str(error)  # of a script: it may run, and not touch the key
    return False
