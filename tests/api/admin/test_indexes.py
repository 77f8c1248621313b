"""What the back office looks for is found over an index, however many accounts and acts there
are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from studypack.admin import audit_log, users
from studypack.core.database.engine import get_engine
from studypack.core.paging import PageParams

PAGE = PageParams(after=None, limit=50)


@pytest.fixture
def plan(session: Session) -> Callable[[Callable[[], object]], str]:
    """How PostgreSQL would do the statement of a search."""

    def of(search: Callable[[], object]) -> str:
        plans: list[str] = []

        def explain(_connection: Any, cursor: Any, sql: str, given: Any, *_rest: Any) -> None:
            if sql.startswith("SELECT"):
                cursor.execute(f"EXPLAIN {sql}", given)
                plans.extend(row[0] for row in cursor.fetchall())

        event.listen(get_engine(), "before_cursor_execute", explain)
        try:
            search()
        finally:
            event.remove(get_engine(), "before_cursor_execute", explain)
        return "\n".join(plans)

    return of


def _add_accounts(session: Session, number: int) -> None:
    session.execute(
        text(
            "INSERT INTO auth.users (id, email, first_name, last_name)"
            " SELECT public.uuid7(), md5(n::text) || '@example.com', md5('f' || n), md5('l' || n)"
            " FROM generate_series(1, :n) n"
        ),
        {"n": number},
    )
    # What autovacuum does with rows that came all at once.
    session.execute(text("SELECT gin_clean_pending_list('auth.ix_users_search')"))
    session.execute(text("ANALYZE auth.users"))


def test_a_part_of_an_address_or_name_is_found_over_the_trigrams(
    session: Session, plan: Callable[[Callable[[], object]], str]
) -> None:
    _add_accounts(session, 20_000)

    for words in ("Tanaka-W", "noémi@", "a_b%c"):
        found = plan(lambda words=words: users.search(session, words, PAGE))

        # One index of three columns: each has its own condition on it.
        assert found.count("Bitmap Index Scan on ix_users_search") == 3, words
        assert "Seq Scan on users" not in found


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        ({"actor_id": uuid4()}, "ix_audit_log_actor_id_id"),
        ({"subject_id": uuid4()}, "ix_audit_log_subject_id_id"),
        ({"action": "account.tested"}, "ix_audit_log_action_id"),
        ({}, "pk_audit_log"),
    ],
    ids=["who", "whom", "what", "all"],
)
def test_a_page_of_the_audit_log_is_read_in_the_order_of_an_index(
    session: Session,
    plan: Callable[[Callable[[], object]], str],
    wanted: dict[str, Any],
    index: str,
) -> None:
    session.execute(
        text(
            "INSERT INTO auth.audit_log (id, actor_id, subject_id, action)"
            " SELECT public.uuid7(), gen_random_uuid(), gen_random_uuid(), 'account.t' || n % 50"
            " FROM generate_series(1, 4000) n"
        )
    )
    session.execute(text("ANALYZE auth.audit_log"))

    found = plan(lambda: audit_log.entries(session, PAGE, **wanted))

    assert f"using {index} on audit_log" in found
    assert "Sort" not in found
