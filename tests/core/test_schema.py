from __future__ import annotations

from alembic.config import Config
from alembic.script import ScriptDirectory

from local.migrate import MIGRATIONS
from studypack.core.database.schema import REVISIONS


def test_the_code_knows_every_migration_in_its_order() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)
    newest_first = [script.revision for script in scripts.walk_revisions()]

    assert tuple(reversed(newest_first)) == REVISIONS, (
        "add the new migration's id to REVISIONS in core/database/schema.py"
    )
