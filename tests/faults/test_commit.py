"""A commit that fails is told as a failure, and leaves nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text

from tests.faults import audit
from tests.faults.classroom import Books, Learner
from tests.faults.client import Answer, calling
from tests.faults.figures import Figures
from tests.faults.gates import trigger
from tests.faults.processes import run_jobs, serving
from tests.faults.victim import Orders

FAILURES = {
    "a constraint's trigger fails": "RAISE EXCEPTION 'refused at commit'",
    "cannot be serialized": "RAISE EXCEPTION 'try again' USING ERRCODE = '40001'",
    "its connection dies": "PERFORM pg_terminate_backend(pg_backend_pid())",
}


@pytest.mark.quick
@pytest.mark.parametrize("failure", FAILURES)
def test_a_commit_that_fails_is_never_a_success_and_its_repetition_is_one(
    url: str,
    orders: Orders,
    learners: list[Learner],
    figures: Callable[..., Figures],
    failure: str,
) -> None:
    row = figures(f"commit failure: {failure}", expected=frozenset({500}))
    books, learner = Books(), learners[0]
    email = "commit@example.com"
    account = {"email": email, "password": "violet canal lantern"}
    action = FAILURES[failure]
    with serving(orders) as servers, audit.looking(url) as database:
        with calling(servers.port, learner.token) as client:
            attempts: dict[str, Callable[[], Answer]] = {
                "learning.exam_responses": lambda: books.save(learner, client, 1),
                "activity.user_activities": lambda: books.finalize(learner, client),
                "auth.sessions": lambda: client.post("/api/auth/signup", account),
            }
            for table, attempt in attempts.items():
                with trigger(url, table, action, at_commit=True):
                    told = attempt()
                    row.tries += 1
                    row.count(told)
                    assert told.status == (500 if "constraint" in failure else 503)
                    if not books.submitted:
                        row.add(audit.untouched(database, [learner.session_id]))
                    row.add(_nothing(database, learner, email, table))
                assert attempt().status in {200, 201}, "the repetition succeeds"
        row.add(audit.responses(database, books))
    run_jobs(orders)
    with audit.looking(url) as database:
        row.add(audit.submissions(database, books.submitted, scored=True))
        row.add(audit.unfinished(database, [learner.session_id]))
        row.add(audit.left_behind(database))
    row.hold()


def _nothing(database: object, learner: Learner, email: str, table: str) -> audit.Findings:
    """No row of the failed attempt at this table."""
    remains = {
        "learning.exam_responses": (
            "SELECT count(*) FROM learning.exam_responses WHERE session_id = :session"
        ),
        "activity.user_activities": (
            "SELECT count(*) FROM activity.user_activities WHERE user_id = :user"
        ),
        "auth.sessions": "SELECT count(*) FROM auth.users WHERE email = :email",
    }
    given = {"session": learner.session_id, "user": learner.id, "email": email}
    number = database.execute(text(remains[table]), given).scalar_one()  # type: ignore[attr-defined]
    return audit.Findings(lost=(f"{number} rows of {table} outlive the rollback",) * bool(number))
