"""The fixtures in `tests.valkey` hold what they promise."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from tests.processes.victims import REPOSITORY
from tests.valkey import keys_without_expiry, serve

pytestmark = pytest.mark.full

ACCOUNT = "AC" + "0123456789abcdef" * 2


def test_the_server_is_empty_and_writes_nothing_to_disk(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        assert client.dbsize() == 0
        assert client.config_get("port", "save", "appendonly") == {
            "port": "0",
            "save": "",
            "appendonly": "no",
        }


def test_our_keys_without_expiry_are_found_but_for_the_permanent_kinds(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        for kind in (f"{{{ACCOUNT}}}:state", f"{{{ACCOUNT}}}:totals", "heartbeats"):
            client.set(f"callguard:{kind}", 1)
        client.set("callguard:expires", 1, ex=60)
        client.set("rq:queues", 1)
        assert keys_without_expiry(client) == []

        client.set(f"callguard:{{{ACCOUNT}}}:stated", 1)
        client.set("callguard:heartbeats:more", 1)
        assert keys_without_expiry(client) == [
            "callguard:heartbeats:more",
            f"callguard:{{{ACCOUNT}}}:stated",
        ]
        client.flushall()


def test_a_test_that_leaves_a_key_without_expiry_fails(tmp_path: Path) -> None:
    suite = tmp_path / "test_sample.py"
    leave = "with redis.Redis.from_url(redis_url) as client: client.set('callguard:stray', 1)"
    suite.write_text(f"import redis\n\ndef test_sample(redis_url):\n    {leave}\n")
    argv = [sys.executable, "-m", "pytest", "-p", "tests.valkey", "-p", "no:cacheprovider", str(suite)]
    env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(argv, cwd=REPOSITORY, env=env, capture_output=True, text=True, check=False)

    assert "left without expiry, and not in PERMANENT_KEYS: callguard:stray" in done.stdout
    assert " error" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize(("required", "outcome"), [("0", pytest.skip.Exception), ("1", pytest.fail.Exception)])
def test_a_missing_server_skips_unless_all_is_required(
    required: str, outcome: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CALLGUARD_REQUIRE_ALL", required)

    with pytest.raises(outcome, match="no server for redis"):
        next(serve("redis"))
