"""Migrations over Alembic: bring a database to the head, back to its base, write a new revision."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from studypack.core.config import Settings
from studypack.core.database.engine import make_engine

MIGRATIONS = Path(__file__).parent.parent / "layers" / "shared" / "migrations"
_LOCK = 0x5354_5544_59  # "STUDY": two migrations at once wait for each other


@contextmanager
def _configured(url: str) -> Iterator[tuple[Config, Connection]]:
    # The application's own engine: verified TLS, the same forms of URL, the same driver.
    engine = make_engine(Settings.from_environment({"DATABASE_URL": url}))
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
            connection.execute(text("SET lock_timeout = '4s'"))
            connection.execute(text("SET statement_timeout = 0"))
            connection.commit()
            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS))
            config.set_main_option(
                "file_template",
                "%%(year)d_%%(month).2d_%%(day).2d_%%(hour).2d%%(minute).2d_%%(slug)s",
            )
            config.attributes["connection"] = connection
            yield config, connection
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
            connection.commit()
    finally:
        engine.dispose()


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database to a revision; does nothing if it is there."""
    with _configured(url) as (config, _):
        command.upgrade(config, revision)


def downgrade(url: str, revision: str = "base") -> None:
    """Take the database back to a revision."""
    with _configured(url) as (config, _):
        command.downgrade(config, revision)


def new_revision(url: str, message: str) -> None:
    """Write a revision from the difference between models and database; read it before
    committing.
    """
    with _configured(url) as (config, _):
        command.revision(config, message, autogenerate=True)


def head() -> str:
    """The newest revision's id."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return ScriptDirectory.from_config(config).get_current_head() or "base"
