"""What stands in `deploy/` is true."""

import re
import runpy
import subprocess
from pathlib import Path

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
    config.write_text((DEPLOY / "prometheus" / "scrape.yml").read_text())

    subprocess.run([promtool, "check", "config", config], check=True)


def test_alerts_name_metrics_that_exist() -> None:
    text = (DEPLOY / "prometheus" / "alerts.yml").read_text()
    expressions = re.findall(r"expr: '(.*)'", text)
    named = {name for expression in expressions for name in re.findall(r"callguard_[a-z_]+", expression)}

    assert named
    assert named <= CATALOGUE.keys()


def test_gunicorn_is_set_up_against_what_was_measured() -> None:
    """Stalled bodies, forged proxy headers, the control socket: each setting answers one of them."""
    config = runpy.run_path(str(DEPLOY / "gunicorn.conf.py"))

    assert config["worker_class"] == "gevent"
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
