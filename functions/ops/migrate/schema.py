"""Bring the database to this artifact's schema over the application's own connection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from studypack.core.config import ConfigurationError, get_settings
from studypack.core.database.engine import make_engine

_HERE = Path(__file__).resolve().parent
_LOCK = 0x5354_5544_59  # the same as local/migrate.py: two migrations at once wait for each other
_SECONDS_FOR_A_LOCK = 4
"""A migration that waits longer makes every request behind it wait too."""


def migrations_folder() -> Path:
    """Where the revisions are: beside this module in the artifact, in the layer's source else.

    Raises FileNotFoundError when the artifact was built without them.
    """
    for folder in (_HERE / "migrations", _HERE.parents[2] / "layers" / "shared" / "migrations"):
        if (folder / "env.py").is_file():
            return folder
    raise FileNotFoundError(f"{_HERE}: the artifact holds no migrations")


def migrate_schema() -> dict[str, str]:
    """Upgrade to the newest revision this artifact knows and say from where to where.

    A database that is already ahead is left alone: CloudFormation runs the former artifact again
    when it rolls a deployment back, and every migration works with the code before it.
    """
    settings = get_settings()
    if settings.database_ca_file and not Path(settings.database_ca_file).is_file():
        raise ConfigurationError(
            f"DATABASE_CA_FILE: {settings.database_ca_file} is not in the layer; "
            "run `make certificates` before `make build`"
        )
    engine = make_engine(settings)
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _LOCK})
            connection.execute(text(f"SET lock_timeout = '{_SECONDS_FOR_A_LOCK}s'"))
            connection.execute(text("SET statement_timeout = 0"))
            connection.commit()
            # The lock and the settings end with the connection.
            return _upgrade(connection)
    finally:
        engine.dispose()


def _upgrade(connection: Connection) -> dict[str, str]:
    # Alembic takes 0.3 s to import, and a deployment that deletes the stack has no use for it.
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    config.attributes["connection"] = connection
    scripts = ScriptDirectory.from_config(config)
    known = {script.revision for script in scripts.walk_revisions()}
    head = scripts.get_current_head() or "base"

    before = MigrationContext.configure(connection).get_current_revision() or "base"
    connection.rollback()
    if before != "base" and before not in known:
        return _report("ahead", before, before)
    command.upgrade(config, "head")
    return _report("unchanged" if before == head else "migrated", before, head)


def _report(outcome: str, before: str, after: str) -> dict[str, Any]:
    return {"outcome": outcome, "before": before, "after": after}
