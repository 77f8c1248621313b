"""The migration that CloudFormation runs: what it does to a database, and that it answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from local import migrate as local_migrate
from local import postgres
from local.invoke import LocalContext
from local.postgres.cluster import connect
from ops.migrate import schema
from ops.migrate.deployment import custom_resource
from ops.migrate.handler import handler
from studypack.core.config import get_settings

CONTEXT = LocalContext("MigrateFunction", 512, timeout_seconds=900)


@contextmanager
def use(monkeypatch: pytest.MonkeyPatch, url: str, **more: str) -> Iterator[None]:
    """Point the application to a database."""
    with monkeypatch.context() as patch:
        patch.setenv("DATABASE_URL", url)
        for name, value in more.items():
            patch.setenv(name, value)
        get_settings.cache_clear()
        yield
    get_settings.cache_clear()


@pytest.fixture
def empty(cluster: postgres.Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty database of a role of its own: a migration sets the role's time-outs."""
    name = f"empty_{uuid4().hex}"
    superuser = connect(cluster)
    superuser.run(f"CREATE ROLE {name} LOGIN PASSWORD '{name}'")
    superuser.run(f"CREATE DATABASE {name} OWNER {name}")
    url = f"postgresql://{name}:{name}@{cluster.host}:{cluster.port}/{name}"
    with use(monkeypatch, url):
        yield url
    superuser.run(f"DROP DATABASE {name} WITH (FORCE)")
    superuser.run(f"DROP ROLE {name}")
    superuser.close()


def revision_of(cluster: postgres.Cluster, url: str, *, change_to: str | None = None) -> str:
    """The revision that a database says it is at, changed first if asked."""
    session = connect(cluster, url.rpartition("/")[2])
    try:
        if change_to:
            session.run("UPDATE alembic_version SET version_num = :new", new=change_to)
        return str(session.run("SELECT version_num FROM alembic_version")[0][0])
    finally:
        session.close()


class Told(HTTPServer):
    """Where CloudFormation waits for an answer."""

    def __init__(self) -> None:
        self.answers: list[dict[str, Any]] = []
        self.content_types: list[str | None] = []
        super().__init__(("127.0.0.1", 0), _Take)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/answer?X-Amz-Signature=x"


class _Take(BaseHTTPRequestHandler):
    def do_PUT(self) -> None:
        server = self.server
        assert isinstance(server, Told)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server.answers.append(json.loads(body))
        server.content_types.append(self.headers["Content-Type"])
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_arguments: Any) -> None:
        pass


@pytest.fixture
def cloudformation() -> Iterator[Told]:
    with Told() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def event(server: Told, request: str = "Create", **more: Any) -> dict[str, Any]:
    return {
        "RequestType": request,
        "ResponseURL": server.url,
        "StackId": "arn:aws:cloudformation:x:0:stack/studypack-dev/1",
        "RequestId": "request-1",
        "LogicalResourceId": "SchemaMigration",
        "ResourceProperties": {"Build": "a1b2c3d"},
        **more,
    }


def test_an_empty_database_gets_the_newest_schema_and_a_second_run_changes_nothing(
    cluster: postgres.Cluster, empty: str, cloudformation: Told
) -> None:
    first = handler(event(cloudformation), CONTEXT)
    second = handler(event(cloudformation, "Update", PhysicalResourceId="SchemaMigration"), CONTEXT)

    head = local_migrate.head()
    assert (first["outcome"], first["before"], first["after"]) == ("migrated", "base", head)
    assert (second["outcome"], second["before"]) == ("unchanged", head)
    assert revision_of(cluster, empty) == head
    assert [each["Status"] for each in cloudformation.answers] == ["SUCCESS", "SUCCESS"]


def test_cloudformation_is_answered_as_it_asks(database_url: str, cloudformation: Told) -> None:
    handler(event(cloudformation), CONTEXT)
    handler(event(cloudformation, "Update", PhysicalResourceId="kept"), CONTEXT)

    first, second = cloudformation.answers
    assert {name: first[name] for name in ("StackId", "RequestId", "LogicalResourceId")} == {
        name: event(cloudformation)[name] for name in ("StackId", "RequestId", "LogicalResourceId")
    }
    # Another id would be a replacement, and CloudFormation would delete the former resource.
    assert (first["PhysicalResourceId"], second["PhysicalResourceId"]) == (
        "SchemaMigration",
        "kept",
    )
    # S3 has signed the address for an empty type.
    assert cloudformation.content_types == ["", ""]


def test_a_database_ahead_of_the_artifact_is_left_alone_so_that_a_rollback_succeeds(
    cluster: postgres.Cluster, empty: str, cloudformation: Told
) -> None:
    handler({}, CONTEXT)
    revision_of(cluster, empty, change_to="f00000000001")

    report = handler(event(cloudformation, "Update"), CONTEXT)

    assert report["outcome"] == "ahead"
    assert revision_of(cluster, empty) == "f00000000001"
    assert [each["Status"] for each in cloudformation.answers] == ["SUCCESS"]


def test_deleting_the_stack_touches_no_database(
    cloudformation: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    with use(monkeypatch, "postgresql://nobody@127.0.0.1:1/nowhere"):
        handler(event(cloudformation, "Delete", PhysicalResourceId="x"), CONTEXT)

    assert [each["Status"] for each in cloudformation.answers] == ["SUCCESS"]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"DATABASE_CONNECT_SECONDS": "0.1"}, "Outage: The database cannot be reached"),
        ({"DATABASE_CA_FILE": "/opt/nothing.pem"}, "DATABASE_CA_FILE: /opt/nothing.pem is not"),
        ({"DATABASE_URL": ""}, "DATABASE_URL or DATABASE_SECRET_ARN"),
        ({"STAGE": "staging"}, "STAGE:"),
    ],
)
def test_what_goes_wrong_is_said_in_the_stacks_events_without_the_password(
    settings: dict[str, str],
    reason: str,
    cloudformation: Told,
    monkeypatch: pytest.MonkeyPatch,
    log: Any,
) -> None:
    url = "postgresql://studypack:canary-77c@127.0.0.1:1/nowhere"
    with use(monkeypatch, url, **settings):
        handler(event(cloudformation), CONTEXT)

    [answer] = cloudformation.answers
    assert answer["Status"] == "FAILED"
    assert reason in answer["Reason"]
    assert "canary" not in json.dumps(answer) + log()


def test_a_long_reason_fits_into_the_answer(cloudformation: Told) -> None:
    def fail() -> dict[str, str]:
        raise RuntimeError("x" * 10_000)

    custom_resource(fail)(event(cloudformation), CONTEXT)

    assert len(json.dumps(cloudformation.answers[0])) < 4096


def test_called_by_hand_a_failure_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        use(monkeypatch, "postgresql://x@127.0.0.1:1/x", DATABASE_CONNECT_SECONDS="0.1"),
        pytest.raises(Exception, match="cannot be reached"),
    ):
        handler({}, CONTEXT)


def test_an_artifact_without_migrations_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "_HERE", tmp_path / "functions" / "ops" / "migrate")

    with pytest.raises(FileNotFoundError, match="holds no migrations"):
        schema.migrations_folder()


def test_the_artifacts_own_migrations_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "_HERE", tmp_path)
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "env.py").touch()

    assert schema.migrations_folder() == tmp_path / "migrations"
