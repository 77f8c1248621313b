"""What studying costs the database, in statements, exactly: authentication is one of them, and
the same for a course of 1 lesson and of 200; and that every one of them finds its rows by indexes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event, text

from studypack.core.database import transaction
from studypack.core.database.engine import get_engine
from tests.support import bank, learning

BUDGETS = {
    "GET /api/courses": 2,
    "GET /api/courses?enrolled=true": 2,
    "GET /api/courses/{slug}": 2,
    "GET /api/courses/{slug}/progress": 2,
    "GET /api/courses/{slug}/next-lesson": 2,
    "GET /api/lessons/{lesson_id}": 3,
    "GET /api/lessons/{lesson_id}/notes": 2,
    "POST /api/lessons/{lesson_id}/progress (view)": 3,
    "POST /api/lessons/{lesson_id}/progress (heartbeats)": 3,
    "POST /api/lessons/{lesson_id}/progress (complete, done before)": 3,
    "POST /api/lessons/{lesson_id}/progress (complete)": 10,
}


class Counted:
    """Counts what a request sends, and holds it to its budget."""

    def __init__(self, statements: Callable[[], list[str]]) -> None:
        self._statements = statements

    def __call__(self, name: str, request: Callable[[], Any]) -> Any:
        self._statements()
        answer = request()
        sent = self._statements()
        assert answer.status_code == 200, answer.text
        assert len(sent) == BUDGETS[name], f"{name}: {len(sent)}\n" + "\n".join(sent)
        return answer.json()


@pytest.fixture
def costs(statements: Callable[[], list[str]]) -> Counted:
    return Counted(statements)


def a_long_course(modules: int, lessons: int) -> learning.Material:
    """A course with a video at its end."""
    course = learning.a_course(*[lessons] * modules)
    learning.add_video(course, modules - 1)
    return course


def complete_all(person: Any, course: learning.Material, *, but: int = 0) -> None:
    """Let somebody have done all but the last few items, as completing one by one leaves them."""
    flat = [lesson for module in course.lessons for lesson in module]
    done = flat[: len(flat) - but]
    with transaction() as session:
        given = {
            "user": person.id,
            "course": course.id,
            "lessons": done,
            "last": course.modules[-1],
        }
        for statement in (
            (
                "INSERT INTO learning.enrollments (id, user_id, course_id)"
                " VALUES (public.uuid7(), :user, :course)"
            ),
            (
                "INSERT INTO learning.lesson_progress"
                " (id, user_id, lesson_id, view_count, completed, completed_at)"
                " SELECT public.uuid7(), :user, l, 1, true, now()"
                " FROM unnest(CAST(:lessons AS uuid[])) AS l"
            ),
            (
                "INSERT INTO learning.item_completions (user_id, item_id, kind, module_id)"
                " SELECT :user, l.id, 'LESSON', l.module_id FROM learning.lessons l"
                " WHERE l.id = ANY (CAST(:lessons AS uuid[]))"
            ),
            (
                "INSERT INTO learning.module_progress"
                " (id, user_id, module_id, status, progress_percent, started_at, completed_at)"
                " SELECT public.uuid7(), :user, id, 'COMPLETED', 100, now(), now()"
                " FROM learning.modules WHERE course_id = :course AND id <> :last"
            ),
        ):
            session.execute(text(statement), given)


@pytest.mark.parametrize(("modules", "lessons"), [(1, 1), (10, 20)], ids=["1", "200"])
def test_the_cost_does_not_grow_with_the_course(
    learner: Any, costs: Counted, modules: int, lessons: int
) -> None:
    course = a_long_course(modules, lessons)
    complete_all(learner, course, but=2)
    article, video = course.lessons[-1][-2:]
    learning.view(learner, article)
    learning.view(learner, video)
    for path in (f"/api/lessons/{video}", "/api/courses"):
        learner.get(path)

    listed = costs("GET /api/courses", lambda: learner.get("/api/courses"))["items"]
    assert course.slug in {each["slug"] for each in listed}
    costs("GET /api/courses?enrolled=true", lambda: learner.get("/api/courses?enrolled=true"))
    page = costs("GET /api/courses/{slug}", lambda: learner.get(course.path))
    assert sum(len(module["lessons"]) for module in page["modules"]) == modules * lessons + 1
    path = f"{course.path}/progress"
    costs("GET /api/courses/{slug}/progress", lambda: learner.get(path))
    onward = f"{course.path}/next-lesson"
    found = costs("GET /api/courses/{slug}/next-lesson", lambda: learner.get(onward))
    assert found["lesson"]["id"] == str(article)
    costs("GET /api/lessons/{lesson_id}", lambda: learner.get(f"/api/lessons/{video}"))
    notes = f"/api/lessons/{video}/notes"
    costs("GET /api/lessons/{lesson_id}/notes", lambda: learner.get(notes))

    progress = "POST /api/lessons/{lesson_id}/progress"
    costs(f"{progress} (view)", lambda: learning.say(learner, article, "view"))
    beats = {"beats": [{"from": 0, "to": 15}], "position": 15}
    costs(f"{progress} (heartbeats)", lambda: learning.say(learner, video, "heartbeats", **beats))
    costs(f"{progress} (complete)", lambda: learning.say(learner, article, "complete"))
    costs(f"{progress} (complete, done before)", lambda: learning.say(learner, article, "complete"))


def test_a_visitor_costs_one_statement_less(api: Any, statements: Callable[[], list[str]]) -> None:
    course = a_long_course(2, 3)
    api.get(course.path)  # reads the business settings, once a minute
    statements()
    for path in ("/api/courses", course.path):
        assert api.get(path).status_code == 200
        assert len(statements()) == 1


@pytest.fixture
def plans(database_url: str) -> Callable[[Callable[[], object]], list[str]]:
    """How PostgreSQL would do the statements of a call, by EXPLAIN."""

    def of(call: Callable[[], object]) -> list[str]:
        found: list[str] = []

        def explain(_connection: Any, cursor: Any, sql: str, given: Any, *_rest: Any) -> None:
            if "learning." in sql:
                cursor.execute(f"EXPLAIN {sql}", given)
                found.append("\n".join(row[0] for row in cursor.fetchall()))

        event.listen(get_engine(), "before_cursor_execute", explain)
        try:
            call()
        finally:
            event.remove(get_engine(), "before_cursor_execute", explain)
        return found

    return of


GROW_WITH_LEARNERS = (
    "enrollments|item_completions|lesson_progress|module_progress|certificates|notes"
)


def _add_others(course: learning.Material, number: int) -> None:
    """Other learners who have done the whole course."""
    bank.execute(
        "INSERT INTO auth.users (id, email)"
        " SELECT public.uuid7(), md5(n::text) || '@example.com' FROM generate_series(1, :n) n",
        n=number,
    )
    others = "auth.users u WHERE u.password_hash IS NULL"
    for statement in (
        (
            "INSERT INTO learning.enrollments (id, user_id, course_id)"
            f" SELECT public.uuid7(), u.id, :course FROM {others}"
        ),
        (
            "INSERT INTO learning.module_progress (id, user_id, module_id)"
            " SELECT public.uuid7(), u.id, m.id FROM learning.modules m,"
            f" {others} AND m.course_id = :course"
        ),
        (
            "INSERT INTO learning.lesson_progress (id, user_id, lesson_id)"
            " SELECT public.uuid7(), u.id, l.id FROM learning.lessons l"
            f" JOIN learning.modules m ON m.id = l.module_id, {others} AND m.course_id = :course"
        ),
        (
            "INSERT INTO learning.item_completions (user_id, item_id, kind, module_id)"
            " SELECT u.id, l.id, 'LESSON', m.id FROM learning.lessons l"
            f" JOIN learning.modules m ON m.id = l.module_id, {others} AND m.course_id = :course"
        ),
        (
            "INSERT INTO learning.notes (id, user_id, lesson_id, kind)"
            " SELECT public.uuid7(), u.id, l.id, 'BOOKMARK' FROM learning.lessons l"
            f" JOIN learning.modules m ON m.id = l.module_id, {others} AND m.course_id = :course"
        ),
        (
            "INSERT INTO learning.certificates"
            " (id, user_id, course_id, code, recipient_name, course_title)"
            f" SELECT public.uuid7(), u.id, :course, md5(u.email), 'x', 'x' FROM {others}"
        ),
    ):
        bank.execute(statement, course=course.id)
    bank.execute(
        "ANALYZE learning.enrollments, learning.module_progress, learning.lesson_progress,"
        " learning.item_completions, learning.notes, learning.certificates, learning.lessons,"
        " learning.modules, learning.courses"
    )


def test_learners_are_found_by_indexes_however_many_there_are(
    learner: Any, plans: Callable[[Callable[[], object]], list[str]]
) -> None:
    course = a_long_course(4, 15)
    complete_all(learner, course, but=2)
    article, video = course.lessons[-1][-2:]
    learning.view(learner, article)
    learning.view(learner, video)
    _add_others(course, 400)
    beats = {"beats": [{"from": 0, "to": 15}], "position": 15}
    for name, call in {
        "catalogue": lambda: learner.get("/api/courses"),
        "mine": lambda: learner.get("/api/courses?enrolled=true"),
        "page": lambda: learner.get(course.path),
        "next": lambda: learner.get(f"{course.path}/next-lesson"),
        "lesson": lambda: learner.get(f"/api/lessons/{video}"),
        "notes": lambda: learner.get(f"/api/lessons/{video}/notes"),
        "view": lambda: learning.say(learner, article, "view"),
        "heartbeats": lambda: learning.say(learner, video, "heartbeats", **beats),
        "complete": lambda: learning.say(learner, article, "complete"),
    }.items():
        found = plans(call)
        assert found, name
        for plan in found:
            scanned = re.findall(rf"Seq Scan on ({GROW_WITH_LEARNERS})\b.*", plan)
            assert scanned == [], f"{name}\n{plan}"
