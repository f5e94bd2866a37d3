"""The scripts as text: linted, with a contract, and in step with the domain's words."""

import subprocess
from importlib import resources
from pathlib import Path

import pytest
from redis import Redis

from callguard.domain.calls import CallStatus, Phase
from callguard.domain.snapshot import State
from callguard.store.scripts import assembled
from tests.requires import program_or_skip

FOLDER = resources.files("callguard.store") / "lua"
SCRIPTS = sorted(file.name for file in FOLDER.iterdir() if file.name.endswith(".lua"))
PARTS = sorted(file.name for file in (FOLDER / "parts").iterdir())


def run_with(redis_url: str, part: str, call: str, *arguments: str) -> object:
    text = (FOLDER / "parts" / part).read_text("utf-8")
    with Redis.from_url(redis_url) as client:
        return client.eval(f"{text} return {call}", 0, *arguments)


@pytest.mark.parametrize("names", [SCRIPTS, [f"parts/{name}" for name in PARTS]], ids=["scripts", "parts"])
def test_luacheck_finds_nothing(tmp_path: Path, names: list[str]) -> None:
    """Each part is checked with nothing but what it says that it includes; one says that it needs `state`."""
    luacheck = program_or_skip("luacheck")
    (tmp_path / "parts").mkdir()
    for name in names:
        (tmp_path / name).write_text(assembled(name), "utf-8")
    # A part may bring more than its script needs (211).
    options = ["--std", "lua51", "--read-globals", "redis", "bit", "cjson", "KEYS", "ARGV", "--ignore", "211"]
    options += ["11./state"] if names != SCRIPTS else []
    found = subprocess.run(
        [luacheck, "--no-color", "--no-config", "--quiet", str(tmp_path), *options],
        capture_output=True,
        text=True,
        check=False,
    )

    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("name", SCRIPTS)
def test_each_script_says_what_it_takes_and_returns(name: str) -> None:
    header = "\n".join(line for line in (FOLDER / name).read_text("utf-8").splitlines() if line.startswith("--"))

    assert "-- KEYS[" in header
    assert "ARGV[" in header or "ARGV" not in assembled(name)
    assert "-- Returns " in header


@pytest.mark.parametrize("name", PARTS)
def test_each_part_says_what_it_is_for(name: str) -> None:
    assert (FOLDER / "parts" / name).read_text("utf-8").startswith("-- ")


@pytest.mark.parametrize("status", CallStatus)
def test_they_know_the_phases_as_the_domain_does(redis_url: str, status: CallStatus) -> None:
    phase = run_with(redis_url, "phases.lua", "phase_of(ARGV[1])", status.value)
    dialled = run_with(redis_url, "phases.lua", "has_been_dialled(ARGV[1])", status.value)

    assert phase == status.phase
    assert bool(dialled) is status.has_been_dialled


def test_their_sums_of_phases_are_right(redis_url: str) -> None:
    later = sum(Phase) - Phase.QUEUED
    dialled, left = map(int, run_with(redis_url, "phases.lua", "{ DIALLED_PHASES, LEFT }"))  # type: ignore[call-overload]

    assert dialled == later
    assert left & Phase.QUEUED == 0
    assert left & later == later


@pytest.mark.parametrize("state", State)
def test_they_know_the_states_as_the_domain_does(redis_url: str, state: State) -> None:
    assert bool(run_with(redis_url, "states.lua", "is_open(ARGV[1])", state.value)) is state.has_open_incident
