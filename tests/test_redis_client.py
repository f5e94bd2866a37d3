"""Connections that lead to a server which can no longer serve, and URLs that the library does not take."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest
from redis.exceptions import RedisError

from callguard.config.errors import ConfigurationError
from callguard.config.settings import Settings
from callguard.errors import StoreUnavailable
from callguard.jobs.drain_queue import connect_for_jobs
from callguard.redis_client import problems_of
from callguard.startup import start
from callguard.store.connection import connect
from callguard.store.script_connections import ScriptConnections
from callguard.store.scripts import Scripts
from tests.config.given import RIGHT


@contextmanager
def refusing(answer: str) -> Iterator[tuple[str, list[socket.socket]]]:
    """Answer every command with one error, as a real server does only in states that are hard to bring about."""
    met: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    client = listener.accept()[0]
                except OSError:
                    return
                met.append(client)
                Thread(target=_refuse, args=(client, answer), daemon=True).start()

        Thread(target=accept, daemon=True).start()
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0", met
    for client in met:
        client.close()


def _refuse(client: socket.socket, answer: str) -> None:
    try:
        while data := client.recv(65_536):
            # What a client says when it connects is no command: the protocol it speaks, and its own name.
            greetings, introductions = data.count(b"HELLO"), data.count(b"SETINFO")
            commands = len(re.findall(rb"(?:^|\r\n)\*[0-9]", data)) - greetings - introductions
            client.sendall(b"%1\r\n$5\r\nproto\r\n:3\r\n" * greetings + b"+OK\r\n" * introductions)
            client.sendall(f"-{answer}\r\n".encode() * commands)
    except OSError:
        pass


LEADS_ELSEWHERE = [
    "READONLY You can't write against a read only replica.",
    "ERR Error running script (call to f_0): @user_script:1: -READONLY You can't write against a replica.",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "NOREPLICAS Not enough good replicas to write.",
    "LOADING Redis is loading the dataset in memory",
    "CLUSTERDOWN The cluster is down",
    "NOAUTH Authentication required.",
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
]
STAYS = [
    "OOM command not allowed when used memory > 'maxmemory'.",
    "MISCONF Redis is configured to save RDB snapshots, but it is currently unable to persist to disk.",
    "ERR unknown command",
    "NOPERM User guard has no permissions to run the 'set' command",
]


@pytest.mark.parametrize("answer", [*LEADS_ELSEWHERE, *STAYS])
def test_a_connection_that_is_useless_is_not_used_again(answer: str) -> None:
    with refusing(answer) as (url, met):
        scripts = Scripts(ScriptConnections(connect(url)))
        plain, jobs = connect(url, connections=1), connect_for_jobs(url)
        after: list[int] = []
        for _ in range(3):  # the first ones are also about what the library tries when it connects
            with pytest.raises(StoreUnavailable):
                scripts.run("go_on", [], [])
            for client in (plain, jobs):
                with pytest.raises(RedisError):
                    client.set("a", "b")
            after.append(len(met))

        assert after[2] - after[1] == (3 if answer in LEADS_ELSEWHERE else 0)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis://localhost:6379/0?ssl_cert_reqs=none", "option ssl_cert_reqs that does not go with redis://"),
        ("redis://localhost:6379/0?bogus=1", "option bogus"),
        ("redis://:secret@localhost/0?socket_timeout=soon", "option socket_timeout has a value"),
        ("rediss://localhost/0?ssl_cert_reqs=bogus", "an option or a value"),
        ("redis://localhost/0?protocol=9", "an option or a value"),
        ("unix:///tmp/a.sock?ssl_cert_reqs=none", "does not go with unix://"),
    ],
)
@pytest.mark.parametrize("name", ["CALLGUARD_REDIS_URL", "CALLGUARD_QUEUE_REDIS_URL"])
def test_what_the_library_does_not_take_stops_the_start(url: str, says: str, name: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        start({**RIGHT, name: url})

    assert f"{name}: " in str(refused.value)
    assert says in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost:6379/0", "rediss://localhost/0?ssl_cert_reqs=none", "unix:///tmp/a.sock?db=2&password=p",
        "redis://u:p%23@localhost/1?health_check_interval=3&decode_responses=yes",
    ],
)  # fmt: skip
def test_what_it_takes_is_fine(url: str) -> None:
    assert list(problems_of({"CALLGUARD_REDIS_URL": url})) == []
    assert isinstance(start({**RIGHT, "CALLGUARD_REDIS_URL": url}), Settings)


def test_an_option_of_the_url_does_not_change_the_patience_of_the_guard() -> None:
    client = connect("redis://localhost/0?socket_timeout=60&decode_responses=no")

    assert client.connection_pool.connection_kwargs["socket_timeout"] == 0.5
    assert client.connection_pool.connection_kwargs["decode_responses"] is True
