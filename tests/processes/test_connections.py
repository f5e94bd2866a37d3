"""Deadlines of connections, on a clock that is moved."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from callguard.processes.connections import Connections


class Case:
    def __init__(self, most: int, stack: ExitStack) -> None:
        self.now = 0.0
        self.all = Connections(most, lambda: self.now)
        self._stack = stack

    def pair(self) -> tuple[socket.socket, socket.socket]:
        ours, theirs = socket.socketpair()
        for each in (ours, theirs):
            self._stack.enter_context(each)
            each.settimeout(0.01)
        return ours, theirs

    def at(self, now: float) -> None:
        self.now = now
        self.all.end_overdue()


@pytest.fixture
def case() -> Iterator[Case]:
    with ExitStack() as stack:
        yield Case(3, stack)


def has_ended(ours: socket.socket) -> bool:
    try:
        return ours.recv(1) == b""
    except TimeoutError:
        return False


def test_who_takes_too_long_is_ended_and_nobody_else(case: Case) -> None:
    slow, quick = case.pair()[0], case.pair()[0]
    case.all.add(slow, 5)
    connection = case.all.add(quick, 5)
    case.at(4.9)
    assert not has_ended(slow)

    case.all.renew(connection, 5)
    case.at(5)

    assert has_ended(slow)
    assert not has_ended(quick)


def test_a_body_that_takes_too_long_is_still_answered(case: Case) -> None:
    ours, theirs = case.pair()
    connection = case.all.add(ours, 5)
    connection.give_body(5)
    case.at(5)

    assert has_ended(ours)
    assert connection.is_spent
    ours.sendall(b"400")
    assert theirs.recv(3) == b"400"


def test_an_answer_to_a_late_body_has_its_end_too(case: Case) -> None:
    ours, _ = case.pair()
    case.all.add(ours, 5).give_body(5)
    case.at(5)
    case.at(10)

    with pytest.raises(OSError):  # noqa: PT011  (EPIPE, or ECONNRESET)
        ours.sendall(b"400")


def test_the_one_that_began_longest_ago_gives_way(case: Case) -> None:
    sockets = [case.pair()[0] for _ in range(4)]
    first, *_ = [case.all.add(each, 5) for each in sockets[:3]]
    case.all.renew(first, 5)

    case.all.add(sockets[3], 5)

    assert [has_ended(each) for each in sockets] == [False, True, False, False]
    assert len(case.all) == 3


def test_one_that_is_closed_already_does_no_harm(case: Case) -> None:
    ours, _ = case.pair()
    connection = case.all.add(ours, 5)
    ours.close()
    case.at(5)
    case.all.remove(connection)
    case.all.remove(connection)

    assert len(case.all) == 0
