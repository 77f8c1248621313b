"""What every test can ask for: a database of its own, the API over it, people who use it.

One PostgreSQL cluster a run, started by the first process that needs it; a template database,
migrated and seeded once; a clone of it for each test that asks for `database_url`. So tests run in
any order and side by side.
"""

from __future__ import annotations

import gc
import hashlib
import io
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from argon2 import PasswordHasher
from filelock import FileLock
from sqlalchemy import Engine, event
from starlette.testclient import TestClient

from local import postgres
from local.postgres.cluster import connect
from local.postgres.databases import OWNER
from studypack.accounts import passwords
from tests.support.billing import standin, stripe_server, webhook_settings
from tests.support.buyer import buyer
from tests.support.environment import environment
from tests.support.videos import (
    bucket,
    mux_key,
    mux_server,
    mux_webhook_settings,
    s3_server,
    videos,
)

__all__ = [
    "bucket",
    "buyer",
    "mux_key",
    "mux_server",
    "mux_webhook_settings",
    "s3_server",
    "standin",
    "stripe_server",
    "videos",
    "webhook_settings",
]
"""Fixtures that are written elsewhere."""

os.environ.update(
    STAGE="test",
    COOKIE_SECURE="true",
    WEB_BASE_URL="https://app.example.com",
    TOTP_KEY="AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    MAIL_TOKEN_KEY="only-for-tests-and-long-enough-to-sign-links",
    POWERTOOLS_METRICS_DISABLED="true",
    POWERTOOLS_LOG_LEVEL="WARNING",
    POWERTOOLS_TRACE_DISABLED="true",
    RECEIPT_SIGNING_KEY="only-for-tests-and-long-enough-to-be-taken",
    AWS_DEFAULT_REGION="eu-central-1",
    AWS_ACCESS_KEY_ID="test",
    AWS_SECRET_ACCESS_KEY="test",
)

ROOT = Path(__file__).parent.parent


def _state() -> Path:
    given = os.environ.get("STUDYPACK_TEST_STATE")
    memory = postgres.memory()
    if given:
        return Path(given)
    if memory is None or os.geteuid() == 0:  # whose data are not below the state
        return ROOT / ".local" / "tests"
    checkout = hashlib.sha256(os.fsencode(ROOT)).hexdigest()[:12]
    return memory / f"studypack-tests-{os.geteuid()}-{checkout}"


STATE = _state()
"""Two runs at once on one checkout need a state each."""
TEMPLATE = "template_{run}"
WIDE_POOL = 26


def pytest_configure(config: pytest.Config) -> None:
    """One name for this run, shared with the workers of pytest-xdist."""
    os.environ.setdefault("STUDYPACK_TEST_RUN", uuid4().hex[:10])


def pytest_collection_finish(session: pytest.Session) -> None:
    """What is imported stays: no later collection of garbage needs to look at it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def cluster() -> Iterator[postgres.Cluster]:
    """The run's PostgreSQL, without durability; the last process to leave removes it."""
    with postgres.running(STATE, durable=False, keep=False) as started:
        yield started


@pytest.fixture(scope="session")
def template_database(cluster: postgres.Cluster) -> str:
    """A database with the schema and the sample content, to be cloned."""
    name = TEMPLATE.format(run=os.environ["STUDYPACK_TEST_RUN"])
    STATE.mkdir(parents=True, exist_ok=True)
    with FileLock(STATE / "template.lock"):
        done = STATE / f"{name}.done"
        # All others may have left, and the cluster with them, before this process came.
        if not done.exists() or done.read_text(encoding="utf-8") != str(cluster.pid):
            from local import migrate, seed

            for old in STATE.glob("template_*.done"):
                postgres.drop_database(cluster, old.stem)
                old.unlink()
            url = postgres.ensure_database(cluster, name)
            migrate.upgrade(url)
            with _connected_to(url):
                seed.seed(settings=seed.EVERYTHING_FREE)
            done.write_text(str(cluster.pid), encoding="utf-8")
    return name


def _connected_to(url: str, **more: str) -> AbstractContextManager[None]:
    """The application's engine on this database, and forgotten afterwards."""
    return environment({"DATABASE_URL": url, **more}, forget=_forget)


def _forget() -> None:
    from studypack.core import outages
    from studypack.core.business_settings import forget_business_settings
    from studypack.core.config import get_settings
    from studypack.core.database.engine import dispose_engine

    dispose_engine()
    get_settings.cache_clear()
    forget_business_settings()
    outages.forget()


CHEAP = {"time_cost": 1, "memory_cost": 64, "parallelism": 1}


@pytest.fixture(autouse=True)
def _passwords_cost_little(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of sign-ups, each with some 25 ms of hashing, are minutes: only the tests that ask
    for `promised_hashing` hash as the product does.
    """
    if "promised_hashing" not in request.fixturenames:
        monkeypatch.setattr(passwords, "_hasher", _cheap_hasher)


@lru_cache(maxsize=1)
def _cheap_hasher() -> PasswordHasher:
    return PasswordHasher(**CHEAP)


@pytest.fixture
def promised_hashing() -> None:
    """Passwords cost what they cost in the product."""


@pytest.fixture
def wide_pool() -> None:
    """Connections for two dozen calls at once; else the application has one, as on Lambda, where
    who opens a second one while holding the first waits for ever.
    """


@pytest.fixture(scope="session")
def maker(cluster: postgres.Cluster) -> Iterator[Callable[[str], Any]]:
    """Runs a statement beside all databases, over one connection for all tests of this process."""
    connection = connect(cluster)
    yield connection.run
    connection.close()


@pytest.fixture
def database_url(
    request: pytest.FixtureRequest,
    cluster: postgres.Cluster,
    maker: Callable[[str], Any],
    template_database: str,
) -> Iterator[str]:
    """A database of this test's own, with the sample content; the application uses it."""
    name = f"test_{uuid4().hex}"
    maker(f"CREATE DATABASE {name} TEMPLATE {template_database} OWNER {OWNER} STRATEGY wal_log")
    connections = WIDE_POOL if "wide_pool" in request.fixturenames else 1
    with _connected_to(postgres.database_url(cluster, name), DATABASE_POOL_SIZE=str(connections)):
        yield os.environ["DATABASE_URL"]
    maker(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def all_routers() -> list[Any]:
    """The routers of every API function."""
    import importlib

    functions = ROOT / "functions" / "api"
    names = sorted(path.parent.name for path in functions.glob("*/routes.py"))
    return [importlib.import_module(f"api.{name}.routes").router for name in names]


@pytest.fixture(scope="session")
def app(all_routers: list[Any]) -> Any:
    """All API functions as one application."""
    from studypack.core.http import create_app

    return create_app(all_routers)


@pytest.fixture
def api(app: Any, database_url: str) -> Iterator[TestClient]:
    """An HTTP client of the whole API, signed in as nobody."""
    with TestClient(
        app, base_url="https://api.example.com", raise_server_exceptions=False
    ) as client:
        client.headers["Origin"] = "https://app.example.com"
        yield client


@pytest.fixture
def statements(database_url: str) -> Callable[[], list[str]]:
    """The SQL statements sent since it was last asked."""
    from studypack.core.database.engine import get_engine

    sent: list[str] = []
    engine: Engine = get_engine()
    event.listen(
        engine, "before_cursor_execute", lambda _c, _cur, sql, *_rest: sent.append(str(sql))
    )

    def take() -> list[str]:
        taken = list(sent)
        sent.clear()
        return taken

    return take


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """The lines that the application's own logger has written in this test, as JSON text."""
    from studypack.core.telemetry import get_logger

    written = io.StringIO()
    monkeypatch.setattr(get_logger().registered_handler, "stream", written)
    return written.getvalue


@pytest.fixture
def session(database_url: str) -> Iterator[Any]:
    """A session on the test's database, committed at the end: to prepare and to look."""
    from studypack.core.database import transaction

    with transaction() as opened:
        yield opened


@pytest.fixture
def sign_up(api: TestClient) -> Callable[..., Any]:
    """Makes people: `sign_up(role=..., time_factor=..., entitled=...)`."""
    from tests.support.people import sign_up as make

    return lambda **details: make(api, **details)


@pytest.fixture
def learner(sign_up: Callable[..., Any]) -> Any:
    """A learner who may use everything."""
    return sign_up()


@pytest.fixture
def other_learner(sign_up: Callable[..., Any]) -> Any:
    """Another one."""
    return sign_up()


@pytest.fixture
def support(sign_up: Callable[..., Any]) -> Any:
    """Somebody of support."""
    return sign_up(role="SUPPORT")


@pytest.fixture
def admin(sign_up: Callable[..., Any]) -> Any:
    """An admin."""
    return sign_up(role="ADMIN")
