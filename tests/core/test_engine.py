from __future__ import annotations

import json
import ssl
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import make_url, text
from starlette.testclient import TestClient

from api.auth.routes import router as auth
from studypack.core.config import ConfigurationError, Settings
from studypack.core.database import engine as engine_module
from studypack.core.database import transaction
from studypack.core.database.engine import (
    IDLE_SECONDS_BEFORE_PING,
    dispose_engine,
    get_engine,
)
from studypack.core.database.engine import (
    database_url as url_of,
)
from studypack.core.errors import Outage
from studypack.core.http import create_app
from studypack.core.http.app import health_router
from tests.support.concurrency import (
    PATIENCE_SECONDS,
    bystander,
    terminate_connections,
    wait_for_waiters,
)


def _backend() -> int:
    with transaction() as session:
        return int(session.scalar(text("SELECT pg_backend_pid()")) or 0)


@pytest.fixture
def health() -> TestClient:
    """The health route of a function."""
    return TestClient(
        create_app([auth, health_router("auth")]),
        base_url="https://api.example.com",
        raise_server_exceptions=False,
    )


def test_a_missing_url_is_told() -> None:
    with pytest.raises(ConfigurationError, match="DATABASE_URL or DATABASE_SECRET_ARN"):
        url_of(Settings())


def test_another_databases_url_is_refused_without_quoting_it() -> None:
    settings = Settings.from_environment({"DATABASE_URL": "mysql://root:secret@db/x"})
    with pytest.raises(ConfigurationError, match="PostgreSQL") as refused:
        url_of(settings)
    assert "secret" not in str(refused.value)


def test_a_secret_gives_the_url(monkeypatch: pytest.MonkeyPatch) -> None:
    from aws_lambda_powertools.utilities import parameters

    secret = '{"username": "u", "password": "p@/:", "host": "db.example.com", "port": "6432"}'
    monkeypatch.setattr(parameters, "get_secret", lambda name: {"arn:x": secret}[name])
    url = url_of(Settings.from_environment({"DATABASE_SECRET_ARN": "arn:x"}))
    assert (url.username, url.password, url.host, url.port, url.database) == (
        "u",
        "p@/:",
        "db.example.com",
        6432,
        "studypack",
    )


def _give(monkeypatch: pytest.MonkeyPatch, **secret: str) -> None:
    from aws_lambda_powertools.utilities import parameters

    monkeypatch.setattr(parameters, "get_secret", lambda name: json.dumps(secret))


def test_a_secret_that_rds_manages_has_no_host_so_that_a_setting_gives_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _give(monkeypatch, username="u", password="p")

    given = {"DATABASE_SECRET_ARN": "arn:x", "DATABASE_HOST": "cluster.example.com"}
    assert url_of(Settings.from_environment(given)).host == "cluster.example.com"
    with pytest.raises(ConfigurationError, match="DATABASE_HOST"):
        url_of(Settings.from_environment({"DATABASE_SECRET_ARN": "arn:x"}))


def test_a_password_changed_while_we_run_is_used_by_the_next_connection(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = make_url(database_url)
    assert url.username
    assert url.host
    assert url.database
    rest = {"username": url.username, "port": str(url.port), "dbname": url.database}
    settings = Settings.from_environment(
        {"DATABASE_SECRET_ARN": "arn:x", "DATABASE_HOST": url.host}
    )
    _give(monkeypatch, password="the one before", **rest)
    engine = engine_module.make_engine(settings)
    try:
        with pytest.raises(Outage, match="refuses our credentials"):
            engine.connect()
        _give(monkeypatch, password=str(url.password), **rest)
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT 1")) == 1
    finally:
        engine.dispose()


@pytest.mark.parametrize(
    ("host", "verified"),
    [("db.example.com", True), ("10.0.0.7", True), ("127.0.0.1", False), ("localhost", False)],
)
def test_a_connection_that_leaves_the_machine_is_encrypted_and_verified(
    host: str, verified: bool
) -> None:
    context = engine_module._ssl_context(Settings(), make_url(f"postgresql://u@{host}/x"))
    assert bool(context) is verified
    if isinstance(context, ssl.SSLContext):
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname


def test_requests_that_follow_each_other_share_one_connection(
    one_connection: None, learner: Any
) -> None:
    before = _backend()
    assert learner.get("/api/users/me").status_code == 200
    assert _backend() == before


def test_a_connection_that_died_while_idle_is_replaced_without_an_error(
    database_url: str, one_connection: None, learner: Any, statements: Any
) -> None:
    before = _backend()
    with bystander(database_url) as engine:
        assert terminate_connections(engine) == 1
    assert learner.get("/api/users/me").status_code == 200
    assert _backend() != before


@pytest.mark.usefixtures("wide_pool")
def test_every_connection_of_the_pool_may_have_died(
    database_url: str, api: TestClient, learner: Any
) -> None:
    opened = [get_engine().connect() for _ in range(4)]
    for connection in opened:
        connection.close()
    with bystander(database_url) as engine:
        assert terminate_connections(engine) == 4
    for _ in range(5):
        answer = learner.patch("/api/users/me", json={"first_name": "Lea"})
        assert answer.status_code == 200


def test_a_connection_is_asked_whether_it_lives_only_after_a_long_pause(
    one_connection: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    pinged: list[int] = []
    before = _backend()
    driver = engine_module.OneFlushConnection
    ping = driver.ping
    monkeypatch.setattr(driver, "ping", lambda self: (pinged.append(1), ping(self))[1])
    assert _backend() == before
    assert pinged == []
    now = engine_module.time.time()
    monkeypatch.setattr(engine_module.time, "time", lambda: now + IDLE_SECONDS_BEFORE_PING + 1)
    assert _backend() == before
    assert pinged == [1]


def test_a_connection_lost_in_the_middle_of_a_request_is_a_503_and_the_next_one_works(
    database_url: str, learner: Any
) -> None:
    change = {"first_name": "Lea"}
    with (
        bystander(database_url) as engine,
        ThreadPoolExecutor(1) as thread,
        engine.connect() as holder,
    ):
        holder.execute(
            text("SELECT 1 FROM auth.users WHERE id = :id FOR UPDATE"), {"id": learner.id}
        )
        running = thread.submit(learner.patch, "/api/users/me", json=change)
        wait_for_waiters(engine, 1)
        assert terminate_connections(engine, only_waiting=True) == 1
        answer = running.result(PATIENCE_SECONDS)
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) >= 1
    assert learner.get("/api/users/me").json()["first_name"] is None
    assert learner.patch("/api/users/me", json=change).status_code == 200


def test_a_row_locked_for_too_long_is_a_503_and_nothing_is_written(
    database_url: str, learner: Any
) -> None:
    with bystander(database_url) as engine, engine.connect() as holder:
        name = make_url(database_url).database
        holder.execute(
            text(f"ALTER ROLE CURRENT_USER IN DATABASE {name} SET lock_timeout = '100ms'")
        )
        holder.commit()
        dispose_engine()  # a new connection takes the new timeout
        holder.execute(
            text("SELECT 1 FROM auth.users WHERE id = :id FOR UPDATE"), {"id": learner.id}
        )
        answer = learner.patch("/api/users/me", json={"first_name": "Lea"})
    assert answer.status_code == 503
    assert answer.json()["code"] == "unavailable"
    assert answer.headers["Retry-After"] == "2"
    assert learner.get("/api/users/me").json()["first_name"] is None


def test_a_pool_with_every_connection_busy_is_a_503(one_connection: None, learner: Any) -> None:
    with transaction() as session:
        session.execute(text("SELECT 1"))
        answer = learner.get("/api/users/me")
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers


def test_a_first_request_needs_one_connection_only(one_connection: None, sign_up: Any) -> None:
    from studypack.core.business_settings import forget_business_settings

    person = sign_up()
    for path in ("/api/users/me", "/api/auth/sessions", "/api/exams/templates", "/api/config"):
        forget_business_settings()
        assert person.get(path).status_code == 200, path
    for path, body in [
        ("/api/users/me/email", {"email": "new@example.com", "password": "violet canal lantern"}),
        ("/api/auth/password/forgot", {"email": person.email}),
        ("/api/auth/verify-email/resend", {"email": person.email}),
        ("/api/exams/sessions", {"template": "ot-diagnostic"}),
    ]:
        forget_business_settings()
        answer = person.post(path, json=body)
        assert answer.status_code in {201, 202}, (path, answer.text)


def test_an_unreachable_database_is_a_503_that_says_when_to_come_back(
    unreachable_database: None, health: TestClient
) -> None:
    for answer in (
        health.get("/api/health/auth"),
        health.get("/api/auth/sessions", headers={"Authorization": "Bearer x"}),
        health.post("/api/auth/login", json={"email": "a@example.com", "password": "x"}),
    ):
        assert answer.status_code == 503
        assert answer.json()["code"] == "database_unavailable"
        assert int(answer.headers["Retry-After"]) >= 1
        assert "127.0.0.1" not in answer.text


def test_a_wrong_password_of_the_database_is_not_tried_again_and_not_told(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = make_url(database_url).set(password="canary-5e1")
    settings = Settings.from_environment(
        {"DATABASE_URL": wrong.render_as_string(hide_password=False)}
    )
    tries: list[int] = []
    connect = engine_module.connect
    monkeypatch.setattr(
        engine_module, "connect", lambda **given: (tries.append(1), connect(**given))[1]
    )
    with pytest.raises(Outage, match="refuses our credentials") as refused:
        engine_module._open(settings, wrong)
    assert tries == [1]
    assert refused.value.code == "database_refused"
    assert "canary" not in str(refused.value)


def test_a_function_that_reaches_its_database_says_so(
    database_url: str, health: TestClient
) -> None:
    answer = health.get("/api/health/auth")
    assert answer.status_code == 200
    assert answer.json() == {"function": "auth", "build": "dev", "database": "reachable"}
