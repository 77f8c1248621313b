"""What is wrong with a deployment: told by its health check, by every request, once in the log."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, text
from starlette.testclient import TestClient

from api.auth.routes import router as auth
from local import postgres
from studypack.core import outages
from studypack.core.business_settings import forget_business_settings
from studypack.core.config import get_settings
from studypack.core.database import transaction
from studypack.core.database.engine import dispose_engine
from studypack.core.database.schema import REVISIONS
from studypack.core.http import create_app
from studypack.core.http.app import health_router

SIGN_IN = {"email": "lea@example.com", "password": "violet canal lantern"}
CANARY = "canary-7c2e"
Log = Callable[[], str]


@pytest.fixture
def client() -> TestClient:
    """The function of sign-in with its health check."""
    app = create_app([auth, health_router("auth")])
    return TestClient(app, base_url="https://api.example.com", raise_server_exceptions=False)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Changes settings as a new start would find them; `None` takes one away."""

    def change(**variables: str | None) -> None:
        for name, value in variables.items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        _start_anew()

    change(DATABASE_CONNECT_SECONDS="0.3")
    outages.forget()
    yield change
    monkeypatch.undo()
    _start_anew()
    outages.forget()


def _start_anew() -> None:
    dispose_engine()
    get_settings.cache_clear()
    forget_business_settings()


def _answers(client: TestClient) -> Iterator[Any]:
    yield client.get("/api/health/auth")
    yield client.get("/api/auth/sessions", headers={"Authorization": "Bearer x"})
    yield client.post("/api/auth/login", json=SIGN_IN)
    yield client.get("/api/health/auth")


def _is_out(client: TestClient, code: str, log: Log, *, naming: str = "") -> None:
    """Every request is a 503 that says what is wrong, and the log said it once."""
    answers = list(_answers(client))
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(503, code)] * 4
    for answer in answers:
        assert int(answer.headers["Retry-After"]) >= 1
        assert naming in answer.json()["detail"]
        assert CANARY not in answer.text
    told = _lines(log, "service unavailable")
    assert [line["code"] for line in told] == [code]
    assert naming in told[0]["reason"]
    assert CANARY not in log()


def _lines(log: Log, message: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in log().splitlines()]
    return [line for line in lines if line["message"] == message]


def _changed(url: str, **parts: Any) -> str:
    return make_url(url).set(**parts).render_as_string(hide_password=False)


def test_a_wrong_password_of_the_database_is_told_as_refused_credentials(
    client: TestClient, database_url: str, environment: Callable[..., None], log: Log
) -> None:
    environment(DATABASE_URL=_changed(database_url, password=CANARY))
    _is_out(client, "database_refused", log)


def test_a_database_that_the_server_does_not_have_is_told(
    client: TestClient, database_url: str, environment: Callable[..., None], log: Log
) -> None:
    environment(DATABASE_URL=_changed(database_url, database="no_such_database"))
    _is_out(client, "database_missing", log)


@contextmanager
def _empty_database(cluster: postgres.Cluster, name: str) -> Iterator[str]:
    yield postgres.ensure_database(cluster, name)
    dispose_engine()
    postgres.drop_database(cluster, name)


def test_a_database_without_a_schema_is_told_until_it_is_migrated(
    client: TestClient,
    cluster: postgres.Cluster,
    environment: Callable[..., None],
    log: Log,
) -> None:
    from local import migrate

    with _empty_database(cluster, f"empty_{os.getpid()}") as url:
        environment(DATABASE_URL=url)
        _is_out(client, "database_not_migrated", log)

        migrate.upgrade(url)

        assert client.get("/api/health/auth").status_code == 200
        assert client.post("/api/auth/login", json=SIGN_IN).status_code == 401
        [ended] = _lines(log, "service available again")
        assert ended["codes"] == ["database_not_migrated"]


def test_a_schema_of_an_older_build_is_told_by_health_and_where_it_is_missed(
    client: TestClient, database_url: str, log: Log
) -> None:
    outages.forget()
    with transaction() as session:
        session.execute(
            text("UPDATE alembic_version SET version_num = :old"), {"old": REVISIONS[0]}
        )
        session.execute(text("ALTER TABLE auth.sessions DROP COLUMN last_seen_at CASCADE"))

    for answer in (
        client.get("/api/health/auth"),
        client.get("/api/auth/sessions", headers={"Authorization": "Bearer x"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (503, "database_behind")
        assert int(answer.headers["Retry-After"]) >= 1
    # What needs nothing of the newer schema is served.
    assert client.get("/api/config").status_code == 200
    assert [line["code"] for line in _lines(log, "service unavailable")] == ["database_behind"]


def test_a_column_missing_from_the_right_schema_is_a_fault_of_ours(
    client: TestClient, database_url: str
) -> None:
    with transaction() as session:
        session.execute(text("ALTER TABLE auth.sessions DROP COLUMN last_seen_at CASCADE"))

    answer = client.get("/api/auth/sessions", headers={"Authorization": "Bearer x"})

    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")


def test_a_schema_of_a_newer_build_is_worked_with(client: TestClient, database_url: str) -> None:
    with transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = 'a-newer-one'"))

    assert client.get("/api/health/auth").status_code == 200


def test_a_server_that_stops_is_told_once_and_so_is_its_return(
    client: TestClient, tmp_path: Path, environment: Callable[..., None], log: Log
) -> None:
    from local import migrate

    with postgres.running(tmp_path, durable=False) as own:
        url = postgres.ensure_database(own, "studypack")
        migrate.upgrade(url)
        environment(DATABASE_URL=url)
        assert client.get("/api/health/auth").status_code == 200
        dispose_engine()

    _is_out(client, "database_unavailable", log)

    with postgres.running(tmp_path, durable=False) as own:
        environment(DATABASE_URL=postgres.ensure_database(own, "studypack"))
        assert client.get("/api/health/auth").status_code == 200
        dispose_engine()
    assert [line["codes"] for line in _lines(log, "service available again")] == [
        ["database_unavailable"]
    ]


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"DATABASE_URL": None}, "DATABASE_URL or DATABASE_SECRET_ARN"),
        ({"DATABASE_URL": f"mysql://u:{CANARY}@db/x"}, "DATABASE_URL"),
        ({"DATABASE_URL": CANARY}, "DATABASE_URL"),
        ({"DATABASE_SECRET_ARN": "arn:x"}, "DATABASE_SECRET_ARN"),
        ({"DATABASE_POOL_SIZE": CANARY}, "DATABASE_POOL_SIZE"),
        ({"STAGE": "prod", "COOKIE_SECURE": "false"}, "COOKIE_SECURE"),
        ({"STAGE": "prod", "WEB_BASE_URL": None}, "WEB_BASE_URL"),
    ],
)
def test_a_wrong_setting_is_told_by_its_name(
    client: TestClient,
    database_url: str,
    environment: Callable[..., None],
    log: Log,
    variables: dict[str, str | None],
    named: str,
) -> None:
    environment(**variables)
    _is_out(client, "configuration_invalid", log, naming=named)


@pytest.mark.parametrize(
    "secret", ["no json", "[]", "{}", '{"username": "u"}', f'{{"password": "{CANARY}"}}']
)
def test_a_secret_that_holds_no_credentials_is_told_by_the_settings_name(
    client: TestClient,
    environment: Callable[..., None],
    log: Log,
    monkeypatch: pytest.MonkeyPatch,
    secret: str,
) -> None:
    from aws_lambda_powertools.utilities import parameters

    monkeypatch.setattr(parameters, "get_secret", lambda name: secret)
    environment(DATABASE_URL=None, DATABASE_SECRET_ARN="arn:x")
    _is_out(client, "configuration_invalid", log, naming="DATABASE_SECRET_ARN")


def test_on_lambda_a_wrong_setting_stops_the_first_start_of_a_version(
    environment: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    from studypack.core.config import ConfigurationError
    from studypack.core.http import app

    monkeypatch.setattr(app, "run_sync_inline", lambda: None)
    environment(AWS_LAMBDA_FUNCTION_NAME="studypack-auth", DATABASE_URL=None)
    with pytest.raises(ConfigurationError, match="DATABASE_URL or DATABASE_SECRET_ARN"):
        app.lambda_handler(auth)


def test_a_job_that_meets_a_wrong_setting_names_it_in_its_log(
    environment: Callable[..., None], log: Log
) -> None:
    from cron.purge_expired import handler
    from tests.support.exams import JobContext

    environment(DATABASE_POOL_SIZE="many")
    with pytest.raises(RuntimeError):
        handler({}, JobContext())
    [failed] = _lines(log, "job failed")
    assert "ConfigurationError: environment does not fit: DATABASE_POOL_SIZE" in failed["exception"]


def test_a_migrated_database_has_nobodys_account(
    cluster: postgres.Cluster, environment: Callable[..., None]
) -> None:
    from local import migrate

    with _empty_database(cluster, f"accounts_{os.getpid()}") as url:
        migrate.upgrade(url)
        environment(DATABASE_URL=url)
        with transaction() as session:
            assert session.scalar(text("SELECT count(*) FROM auth.users")) == 0
