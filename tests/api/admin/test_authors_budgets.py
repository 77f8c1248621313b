"""What an author's page costs does not grow with the course: every route that reads content."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local import openapi
from local import template as sam
from tests.support import quizzes
from tests.support.authoring import a_lesson, a_module, a_topic
from tests.support.people import Person

CONTENT = ("courses", "modules", "lessons", "topics", "assets", "certificates", "quizzes")
MOST = 4
"""Statements, authentication among them."""

ELSEWHERE = {
    "/api/admin/courses/{slug}/export": "a whole course as files (tests/course_files)",
    "/api/admin/quiz-attempts/{attempt_id}/analysis": "of one attempt: tests/api/quizzes",
}


def _reads() -> Iterator[str]:
    for path, item in openapi.document(sam.read())["paths"].items():
        if "get" in item and path.startswith("/api/admin/") and path.split("/")[3] in CONTENT:
            yield path


READS = sorted(set(_reads()) - ELSEWHERE.keys())


@pytest.mark.parametrize("path", READS)
def test_reading_content_takes_the_same_few_statements_for_one_thing_or_many(
    path: str, admin: Person, statements: Callable[[], list[str]]
) -> None:
    quiz = quizzes.a_quiz()
    [module, *_] = quiz.course.modules
    lesson, topic = a_lesson(module), a_topic(quiz.course.id)
    address = re.sub(
        r"\{(\w+)\}",
        lambda found: str(
            {
                "course_id": quiz.course.id,
                "module_id": module,
                "lesson_id": lesson,
                "topic_id": topic,
                "quiz_id": quiz.id,
            }[found[1]]
        ),
        path,
    )

    def cost() -> int:
        admin.get(address)  # what an environment reads once a minute is read
        statements()
        answer: Any = admin.get(address)
        assert answer.status_code == 200, answer.text
        return len(statements())

    few = cost()
    for _ in range(4):
        a_lesson(a_module(quiz.course.id))
        a_lesson(module)
        a_topic(quiz.course.id)

    assert cost() == few <= MOST
