"""What stands in `deploy/` is true."""

import os
import re
import runpy
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from callguard.metrics.catalogue import CATALOGUE
from tests.requires import program_or_skip

DEPLOY = Path(__file__).parents[1] / "deploy"


def test_the_alerts_are_valid() -> None:
    promtool = program_or_skip("promtool")

    subprocess.run([promtool, "check", "rules", DEPLOY / "prometheus" / "alerts.yml"], check=True)


def test_the_scrape_configuration_is_valid(tmp_path: Path) -> None:
    promtool = program_or_skip("promtool")
    config = tmp_path / "prometheus.yml"
    token = tmp_path / "callguard-token"
    token.touch()
    text = (DEPLOY / "prometheus" / "scrape.yml").read_text()
    config.write_text(text.replace("/etc/prometheus/callguard-token", str(token)))

    subprocess.run([promtool, "check", "config", config], check=True)


def alerts() -> dict[str, Any]:
    groups = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


@pytest.mark.parametrize("interval", ["as it asks for", "Prometheus' default"])
def test_the_alerts_fire_and_keep_quiet(interval: str, tmp_path: Path) -> None:
    """The series are a minute apart, as Prometheus scrapes by default; by default it also evaluates so seldom."""
    promtool = program_or_skip("promtool")
    rules = (DEPLOY / "prometheus" / "alerts.yml").read_text()
    own = "" if interval == "as it asks for" else r"^ +interval: .*\n"
    (tmp_path / "alerts.yml").write_text(re.sub(own, "", rules, flags=re.MULTILINE) if own else rules)
    shutil.copy(DEPLOY / "prometheus" / "callguard.test.yml", tmp_path)

    tested = subprocess.run(
        [promtool, "test", "rules", tmp_path / "callguard.test.yml"], capture_output=True, text=True, check=False
    )

    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_each_alert_has_a_case_that_fires_and_one_that_does_not() -> None:
    cases = yaml.safe_load((DEPLOY / "prometheus" / "callguard.test.yml").read_text())["tests"]
    looked_at = {
        (re.findall(r'alertname="(\w+)"', look["expr"])[0], bool(look["exp_samples"]))
        for case in cases
        for look in case["promql_expr_test"]
    }

    assert looked_at == {(name, fires) for name in alerts() for fires in (True, False)}


def test_alerts_name_metrics_that_exist() -> None:
    expressions = [rule["expr"] for rule in alerts().values()]
    named = {name for expression in expressions for name in re.findall(r"callguard_[a-z_]+", expression)}

    assert named
    assert named <= CATALOGUE.keys()


def test_gunicorn_is_set_up_against_what_was_measured() -> None:
    """Stalled bodies, forged proxy headers, the control socket: each setting answers one of them."""
    config = runpy.run_path(str(DEPLOY / "gunicorn.conf.py"))

    assert config["worker_class"] == "callguard.processes.web_worker.WebWorker"
    assert config["control_socket_disable"] is True
    assert config["forwarder_headers"] == config["forwarded_allow_ips"] == ""
    assert config["limit_request_fields"] <= 64


def test_compose_has_web_workers_and_a_lasting_valkey() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())

    services = compose["services"]
    assert services.keys() == {"web", "workers", "valkey"}
    assert services["workers"]["command"] == ["python", "-m", "workers"]
    command = " ".join(services["valkey"]["command"])
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command
    assert services["web"]["build"]["dockerfile"] == "deploy/Dockerfile"


@pytest.mark.parametrize(
    "source", re.findall(r"^COPY (?!--from)(.+) \S+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
)
def test_the_image_is_made_of_what_exists(source: str) -> None:
    assert [name for name in source.split() if not (DEPLOY.parent / name).exists()] == []


def test_the_image_installs_the_wheel_and_runs_without_rights() -> None:
    """That these lines work is tried in `tests/install`."""
    lines = [line for line in (DEPLOY / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    user = next(n for n, line in enumerate(lines) if line.startswith("USER "))
    (command,) = (n for n, line in enumerate(lines) if line.startswith("CMD "))

    assert not re.search(r"--editable|\s-e\s|\[dev\]", "\n".join(lines))
    assert lines[user] not in ("USER root", "USER 0")
    assert user < command
    assert "/share/callguard/deploy/gunicorn.conf.py" in lines[command]


def test_old_workers_go_on_until_the_new_ones_serve() -> None:
    """Each of the new ones tells the master, which then does what it would have done at once."""
    config = runpy.run_path(str(DEPLOY / "gunicorn.conf.py"))
    names = config["post_worker_init"].__globals__
    ended: list[str] = []
    warned: list[str] = []
    log = SimpleNamespace(warning=warned.append)
    server = SimpleNamespace(manage_workers=lambda: ended.append("old"), cfg=SimpleNamespace(workers=2), log=log)

    config["_keep_old_workers"](server)
    for_master, theirs = names["_ready"]
    for _ in range(2):  # as the forks of a real master would have them
        names["_ready"] = os.dup(for_master), os.dup(theirs)
        config["post_worker_init"](SimpleNamespace(app=SimpleNamespace(wsgi=object)))
    names["_ready"] = for_master, theirs
    assert ended == []

    server.manage_workers()
    server.manage_workers()

    assert ended == ["old", "old"]
    assert warned == []
    assert names["_ready"] is None


def test_workers_that_cannot_load_hold_up_nobody() -> None:
    config = runpy.run_path(str(DEPLOY / "gunicorn.conf.py"))
    ended: list[str] = []
    warned: list[str] = []
    server = SimpleNamespace(
        manage_workers=lambda: ended.append("old"),
        cfg=SimpleNamespace(workers=2),
        log=SimpleNamespace(warning=warned.append),
    )

    config["_keep_old_workers"](server)
    server.manage_workers()

    assert ended == ["old"]
    assert len(warned) == 1
