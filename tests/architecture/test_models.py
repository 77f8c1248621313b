"""The models and the migrated database say the same, and every table keeps the house rules."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import (
    CheckConstraint,
    Connection,
    DateTime,
    ForeignKeyConstraint,
    Table,
    Uuid,
    create_engine,
    text,
)

from local.migrate import MIGRATIONS
from studypack.core.database import Base, EnumText

SCHEMAS = ("auth", "learning", "payments", "notifications", "activity")

KEYS_OTHER_THAN_AN_ID = {
    "auth.idempotency_keys": "the client's own key of its own operation is what must be unique",
    "auth.settings": "a setting is known by its name",
    "auth.throttles": "counted by a hash of whom; found and counted up in one statement",
    "learning.exam_items": "a place of a form: session and position",
    "learning.exam_receipts": "a submitted session's one receipt",
    "learning.exam_response_log": "an entry of a session's log: session and number",
    "learning.question_versions": "a version of a question: question and number",
    "payments.number_series": "a series is known by its name",
    "payments.product_prices": "a price is known by Stripe's id",
    "learning.course_prerequisites": "a pair of courses is its own key",
    "learning.item_completions": "done once by a learner: that is the key",
    "learning.module_items": "has the id of the quiz or assignment that it stands for",
    "learning.mux_events": "an event is known by Mux's id, which makes it come once",
    "learning.quiz_questions": "a question is in a quiz once",
    "payments.stripe_events": "an event is known by Stripe's id, which makes it come once",
}
"""Tables whose primary key is not one UUID named `id`, and why."""

OTHER_NAMES_OF_CREATED_AT = {
    "auth.accommodations": "granted_at",
    "auth.timezone_history": "valid_from",
    "activity.analytics_events": "event_time",
    "learning.item_completions": "completed_at",
    "learning.mux_events": "received_at",
    "learning.topic_mastery": "last_updated",
    "notifications.email_decisions": "decided_at",
    "notifications.email_logs": "sent_at",
    "payments.credit_notes": "issued_at",
    "payments.seats": "taken_at",
    "payments.stripe_events": "received_at",
}
"""Tables whose rows say when they came under a name that says more."""

WITHOUT_CREATED_AT = {
    "auth.settings": "updated_at is what one asks of a setting",
    "auth.throttles": "lives for one window, which resets_at ends",
    "learning.course_prerequisites": "the audit log has who asked for it and when",
    "learning.exam_items": "made with its session, which has the time",
    "learning.exam_response_log": "occurred_at is hashed: no default may stand in for it",
    "learning.question_options": "made with its question's version, which has the time",
    "learning.quiz_questions": "a place in its quiz, which has the time",
    "payments.number_series": "a counter",
}

SOFT_DELETED = {
    "auth.users",
    "learning.courses",
    "learning.exam_templates",
    "learning.lessons",
    "learning.modules",
    "learning.questions",
    "learning.quizzes",
}


def _import_models() -> None:
    import importlib
    from pathlib import Path

    import studypack

    root = Path(studypack.__file__).parent
    for path in root.glob("**/models.py"):
        importlib.import_module(
            ".".join(("studypack", *path.relative_to(root).parent.parts, "models"))
        )


_import_models()
TABLES = sorted(Base.metadata.tables.values(), key=lambda table: table.fullname)


def _enum_columns() -> Iterator[tuple[Table, str, type[StrEnum]]]:
    for table in TABLES:
        for column in table.columns:
            if isinstance(column.type, EnumText):
                yield table, column.name, column.type.enum


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    """A connection of Alembic's kind to the migrated database."""
    engine = create_engine(database_url.replace("postgresql://", "postgresql+pg8000://", 1))
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def _include_name(connection: Connection) -> Any:
    """The rule of the migrations' own environment, which cannot be imported outside of Alembic."""
    source = (MIGRATIONS / "env.py").read_text(encoding="utf-8")
    [start] = [found.start() for found in re.finditer(r"^def include_name", source, re.MULTILINE)]
    end = source.index("\n\n\n", start)
    [schemas] = re.findall(r"^SCHEMAS = .*$", source, re.MULTILINE)
    names: dict[str, Any] = {"Any": Any}
    exec(f"{schemas}\n{source[start:end]}", names)  # noqa: S102 (our own file)
    return names["include_name"]


def test_there_are_tables_to_look_at() -> None:
    assert len(TABLES) >= 20
    assert len(list(_enum_columns())) >= 12
    assert {table.schema for table in TABLES} == set(SCHEMAS)


def test_the_migrations_make_what_the_models_say(connection: Connection) -> None:
    context = MigrationContext.configure(
        connection,
        opts={
            "include_schemas": True,
            "include_name": _include_name(connection),
            "compare_type": True,
            "compare_server_default": True,
        },
    )

    assert compare_metadata(context, Base.metadata) == []


def test_every_table_of_the_database_has_a_model_or_is_a_partition(connection: Connection) -> None:
    found = connection.execute(
        text(
            "SELECT n.nspname || '.' || c.relname AS name, c.relispartition AS partition"
            "  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind IN ('r', 'p') AND n.nspname NOT LIKE 'pg\\_%'"
            "   AND n.nspname <> 'information_schema'"
        )
    ).all()
    tables = {row.name for row in found if not row.partition}
    partitions = {row.name for row in found if row.partition}

    assert tables - {"public.alembic_version"} == {table.fullname for table in TABLES}
    assert all(name.startswith("activity.analytics_events_") for name in partitions)


def test_every_enum_column_is_held_to_exactly_its_values(connection: Connection) -> None:
    found = connection.execute(
        text(
            "SELECT conrelid::regclass::text AS table, a.attname AS column,"
            "       pg_get_constraintdef(c.oid) AS definition"
            "  FROM pg_constraint c"
            "  JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)"
            " WHERE c.contype = 'c' AND cardinality(c.conkey) = 1"
        )
    ).all()
    checks: dict[tuple[str, str], list[str]] = {}
    for row in found:
        checks.setdefault((row.table, row.column), []).append(row.definition)

    for table, column, enum in _enum_columns():
        values = [member.value for member in enum]
        kept = [
            definition
            for definition in checks.get((table.fullname, column), [])
            if "= ANY (ARRAY[" in definition or re.search(rf"\({column} = '", definition)
        ]
        assert len(kept) == 1, f"{table.fullname}.{column}: {kept}"
        assert sorted(re.findall(r"'([^']*)'::text", kept[0])) == sorted(values)


def test_every_enum_column_stands_beside_its_check_in_the_model() -> None:
    for table, column, _enum in _enum_columns():
        names = {
            str(constraint.name)
            for constraint in table.constraints
            if isinstance(constraint, CheckConstraint)
        }
        assert f"ck_{table.name}_{column}" in names, f"{table.fullname}.{column}"


def test_every_foreign_key_is_led_by_an_index_so_that_deleting_its_target_reads_no_whole_table(
    connection: Connection,
) -> None:
    unindexed = connection.execute(
        text(
            "SELECT c.conrelid::regclass || ': ' || c.conname FROM pg_constraint c"
            " WHERE c.contype = 'f' AND NOT EXISTS ("
            "   SELECT FROM pg_index i"
            "    WHERE i.indrelid = c.conrelid AND i.indisvalid AND i.indpred IS NULL"
            "      AND (i.indkey::int2[])[0:cardinality(c.conkey) - 1] @> c.conkey)"
        )
    ).scalars()
    keys = connection.execute(text("SELECT count(*) FROM pg_constraint WHERE contype = 'f'"))

    assert list(unindexed) == []
    assert keys.scalar_one() >= 15


def test_foreign_keys_point_down_the_floors() -> None:
    import tomllib

    from local.template import ROOT

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    floors = project["tool"]["importlinter"]["contracts"][0]["layers"]
    height = {
        package.strip(): -number
        for number, floor in enumerate(floors)
        for package in floor.split("|")
    }
    owner = {
        mapper.local_table.fullname: ".".join(mapper.class_.__module__.split(".")[:2])
        for mapper in Base.registry.mappers
    }

    upward = [
        f"{table.fullname} -> {key.column.table.fullname}"
        for table in TABLES
        for key in table.foreign_keys
        if height[owner[key.column.table.fullname]] > height[owner[table.fullname]]
    ]
    assert upward == []


def test_every_time_is_in_utc_with_its_zone(connection: Connection) -> None:
    columns = connection.execute(
        text(
            "SELECT table_schema || '.' || table_name || '.' || column_name AS name, data_type"
            "  FROM information_schema.columns"
            " WHERE table_schema = ANY (:schemas) AND data_type LIKE 'time%'"
        ),
        {"schemas": list(SCHEMAS)},
    ).all()

    assert [row.name for row in columns if row.data_type != "timestamp with time zone"] == []
    assert len(columns) >= 40
    for table in TABLES:
        for column in table.columns:
            if isinstance(column.type, DateTime):
                assert column.type.timezone, f"{table.fullname}.{column.name}"


def test_every_primary_key_is_a_uuid_or_has_a_reason() -> None:
    others = {
        table.fullname
        for table in TABLES
        if [column.name for column in table.primary_key] != ["id"]
        or not isinstance(table.c.id.type, Uuid)
    }

    assert others == KEYS_OTHER_THAN_AN_ID.keys()


def test_every_row_says_when_it_came() -> None:
    without = {table.fullname for table in TABLES if "created_at" not in table.c}

    assert without == OTHER_NAMES_OF_CREATED_AT.keys() | WITHOUT_CREATED_AT.keys()
    for table in TABLES:
        name = OTHER_NAMES_OF_CREATED_AT.get(table.fullname, "created_at")
        if table.fullname not in WITHOUT_CREATED_AT:
            column = table.c[name]
            assert not column.nullable, f"{table.fullname}.{name}"
            assert column.server_default is not None, f"{table.fullname}.{name}"


def test_what_people_or_courses_depend_on_is_deleted_softly() -> None:
    assert {table.fullname for table in TABLES if "deleted_at" in table.c} == SOFT_DELETED
    for name in SOFT_DELETED:
        assert {"created_at", "updated_at"} <= set(Base.metadata.tables[name].c.keys())


def test_every_constraint_and_index_has_a_name_of_its_own(connection: Connection) -> None:
    for table in TABLES:
        unnamed = [constraint for constraint in table.constraints if not constraint.name]
        assert unnamed == [], table.fullname
        names = Counter(str(each.name) for each in (*table.constraints, *table.indexes))
        assert [name for name, times in names.items() if times > 1] == [], table.fullname
    stored = connection.execute(
        text(
            "SELECT n.nspname || '.' || c.relname || '.' || k.conname FROM pg_constraint k"
            "  JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = ANY (:schemas) AND NOT c.relispartition"
            "   AND k.contype <> 'n' AND k.conname !~ '^(pk|fk|uq|ck)_'"
        ),
        {"schemas": list(SCHEMAS)},
    ).scalars()
    assert list(stored) == []


def test_a_reference_says_what_happens_when_its_target_goes() -> None:
    silent = [
        f"{table.fullname}.{key.name}"
        for table in TABLES
        for key in table.constraints
        if isinstance(key, ForeignKeyConstraint) and key.ondelete is None
    ]
    # A version that a form points at must stay: the default refusal is meant.
    assert silent == ["learning.exam_items.fk_exam_items_question_version"]
