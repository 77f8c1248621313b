"""Sitting an exam in a test: answers of every type, right ones and others."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from local.demo.learner import any_answer
from studypack.core.database import transaction
from studypack.questions.answers import ANSWER, QuestionContent, QuestionType
from tests.support.people import Person

__all__ = [
    "JobContext",
    "answer_all",
    "any_answer",
    "content_of",
    "finalize",
    "move_clock",
    "right_answer",
    "save",
    "start",
]


def start(person: Person, template: str = "ot-diagnostic") -> dict[str, Any]:
    """Start an exam and return the session's document."""
    answer = person.post("/api/exams/sessions", json={"template": template})
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


def content_of(question_id: str) -> QuestionContent:
    """The bank's current content of a question, key included."""
    with transaction() as session:
        document = session.execute(
            text(
                "SELECT v.content FROM learning.question_versions v"
                " JOIN learning.questions q ON q.id = v.question_id AND q.version = v.version"
                " WHERE q.id = :id"
            ),
            {"id": question_id},
        ).scalar_one()
    return QuestionContent.model_validate(document)


def right_answer(content: QuestionContent) -> dict[str, Any]:
    """The answer that earns full credit."""
    kind = content.type
    correct = [str(option.id) for option in content.options if option.is_correct]
    match kind:
        case QuestionType.SINGLE_BEST:
            answer: dict[str, Any] = {"option_id": correct[0]}
        case QuestionType.MULTI_SELECT:
            answer = {"option_ids": correct}
        case QuestionType.ORDERING:
            ordered = sorted(content.options, key=lambda option: option.sort_order)
            answer = {"option_ids": [str(option.id) for option in ordered]}
        case QuestionType.CLINICAL_SIM:
            gaining = [str(o.id) for o in content.options if (o.points or 0) > 0]
            answer = {"option_ids": gaining}
        case QuestionType.HOT_SPOT:
            answer = _inside(content)
    document = {"type": kind.value, **answer}
    ANSWER.validate_python(document)
    return document


def _inside(content: QuestionContent) -> dict[str, float]:
    region = content.regions[0]
    match region.shape:
        case "rect":
            return {"x": region.x + region.width / 2, "y": region.y + region.height / 2}
        case "circle":
            return {"x": region.cx, "y": region.cy}
        case _:
            return {"x": region.points[0][0], "y": region.points[0][1]}


def save(
    person: Person,
    session: dict[str, Any],
    item: dict[str, Any],
    answer: dict[str, Any] | None,
    *,
    revision: int = 1,
    **details: Any,
) -> Any:
    """Save one response."""
    body = {"question_id": item["question_id"], "revision": revision, "answer": answer, **details}
    return person.post(f"/api/exams/sessions/{session['id']}/responses", json=body)


def answer_all(person: Person, session: dict[str, Any], *, right: bool) -> None:
    """Answer every item: all right, or with any well-formed answer."""
    for item in session["items"]:
        answer = right_answer(content_of(item["question_id"])) if right else any_answer(item)
        saved = save(person, session, item, answer)
        assert saved.status_code == 200, saved.text


def move_clock(session_id: str, seconds: float) -> None:
    """Let a session's time pass: start and deadline move into the past."""
    with transaction() as db:
        db.execute(
            text(
                "UPDATE learning.exam_sessions SET"
                " started_at = started_at - make_interval(secs => :s),"
                " deadline_at = deadline_at - make_interval(secs => :s),"
                " paused_at = paused_at - make_interval(secs => :s) WHERE id = :id"
            ),
            {"id": session_id, "s": seconds},
        )


def finalize(person: Person, session: dict[str, Any]) -> dict[str, Any]:
    """Submit the session."""
    answer = person.post(f"/api/exams/sessions/{session['id']}/finalize")
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


class JobContext:
    """A Lambda context with a minute left, or what is said."""

    aws_request_id = "test-request"
    function_name = "test"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-central-1:000000000000:function:test"

    def __init__(self, milliseconds: int = 60_000) -> None:
        self.milliseconds = milliseconds

    def get_remaining_time_in_millis(self) -> int:
        return self.milliseconds
