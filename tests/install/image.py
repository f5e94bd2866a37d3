"""What `deploy/Dockerfile` does, done without Docker: its own lines, in folders in place of its stages."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
PREFIX = "/usr/local"
"""Where the image's Python has its `share`."""


def instructions() -> Iterator[tuple[str, str]]:
    """Yield name and rest of each instruction."""
    for line in DOCKERFILE.read_text().replace("\\\n", " ").splitlines():
        if line and not line.startswith("#"):
            name, _, rest = line.partition(" ")
            yield name, rest


def command() -> list[str]:
    """Return what the image runs."""
    (line,) = (rest for name, rest in instructions() if name == "CMD")
    return re.findall(r'"([^"]+)"', line)


def install(venv: Path, folder: Path) -> None:
    """Copy, and run pip, as the Dockerfile says, with the `pip` of `venv`; each stage is a folder in `folder`."""
    environ = {"PATH": f"{venv / 'bin'}:{os.environ['PATH']}"}
    stages: dict[str, Path] = {}
    stage = workdir = folder
    for name, rest in instructions():
        if name == "FROM":
            stage = folder / str(len(stages))
            stages[rest.partition(" AS ")[2] or "final"] = stage
        elif name == "WORKDIR":
            workdir = stage / rest.lstrip("/")
            workdir.mkdir(parents=True)
        elif name == "COPY":
            _copy(shlex.split(rest), stages, workdir)
        elif name == "RUN" and rest.startswith("pip "):
            _run(rest, workdir, environ)


def _copy(words: list[str], stages: Mapping[str, Path], workdir: Path) -> None:
    root = ROOT
    if words[0].startswith("--from="):
        root = stages[words.pop(0).removeprefix("--from=")]
    *sources, target = words
    for source in sources:
        found, to = root / source.lstrip("/"), workdir / target
        if found.is_dir():
            shutil.copytree(found, to, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            to = to / found.name if target.endswith("/") else to
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(found, to)


def _run(line: str, workdir: Path, environ: Mapping[str, str]) -> None:
    ended = subprocess.run(
        ["sh", "-c", line], cwd=workdir, env={**os.environ, **environ}, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, f"{line}\n{ended.stdout[-2000:]}\n{ended.stderr[-2000:]}"
