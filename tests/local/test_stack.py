"""The whole system up and down again, over real HTTP."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from local import environment, server, stack
from local import template as sam


def test_everything_runs_and_stops_and_leaves_the_environment_as_it_was(
    database_url: str, tmp_path: Path
) -> None:
    before = dict(os.environ)
    with stack.running(crons=True, state=tmp_path) as local:
        assert local.database_url == database_url
        with httpx2.Client(base_url=local.base_url) as client:
            config = client.get("/api/config").json()
            answer = client.post(
                "/api/auth/login",
                json={"email": "lea@example.com", "password": "juniper-harbour-tuesday"},
            )
            page = client.get("/").text
        assert config["stage"] == "local"
        assert answer.status_code == 200
        assert "secure" not in answer.headers["set-cookie"].lower()
        assert local.aws_endpoint_url in page
        assert database_url.split("@")[1] in page
        assert database_url not in page
        assert {state.name for state in local.crons.states()} >= {"cron.score_exams"}

    assert dict(os.environ) == before
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(local.base_url)


def test_a_database_elsewhere_is_neither_migrated_nor_seeded() -> None:
    assert stack.is_here("postgresql://u:p@127.0.0.1:5432/x")
    assert not stack.is_here("postgresql://u:p@db.example.com/x")


def test_real_credentials_are_replaced_when_the_stand_ins_are_used() -> None:
    given = {"AWS_ACCESS_KEY_ID": "real", "AWS_PROFILE": "work", "POWERTOOLS_LOG_LEVEL": "DEBUG"}

    chosen = environment.variables(
        database_url="postgresql://x",
        web_base_url="http://127.0.0.1:1",
        aws_endpoint_url="http://127.0.0.1:2",
        given=given,
    )
    untouched = environment.variables(
        database_url="postgresql://x", web_base_url="http://127.0.0.1:1", given=given
    )

    assert chosen["AWS_ACCESS_KEY_ID"] == "local"
    assert chosen["POWERTOOLS_LOG_LEVEL"] == "DEBUG"
    assert "AWS_ACCESS_KEY_ID" not in untouched


def run(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "local", *arguments],
        cwd=sam.ROOT,
        env={**os.environ, "PYTHONPATH": "layers/shared/python:functions:."},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_tells_its_addresses_and_logins_and_stops_when_asked(
    database_url: str, tmp_path: Path, number: signal.Signals
) -> None:
    with run("run", "--port", "0", "--state", str(tmp_path)) as process:
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("Ready"):
                break
        process.send_signal(number)
        rest, _ = process.communicate(timeout=60)

    told = "".join(lines)
    assert "http://127.0.0.1:" in told
    assert "juniper-harbour-tuesday" in told
    assert "Products at Stripe" in told
    assert database_url not in told
    assert "Stopped; data stays." in rest
    assert "Traceback" not in told + rest
    assert process.returncode == 0


def test_run_names_a_taken_port_and_starts_nothing(database_url: str, tmp_path: Path) -> None:
    with server.listen(0, preferred=0) as other:
        port = other.getsockname()[1]
        with run("run", "--port", str(port), "--state", str(tmp_path)) as process:
            told, _ = process.communicate(timeout=60)

    assert process.returncode == 1
    assert f"port {port} is taken" in told
    assert "--port" in told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["migrate", "seed"])
def test_migrate_and_seed_can_be_run_again(database_url: str, command: str) -> None:
    with run(command) as process:
        told, _ = process.communicate(timeout=60)

    assert process.returncode == 0, told
