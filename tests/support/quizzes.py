"""Quizzes that learners take in tests, made by the authors' own services, and taking them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from studypack.core.database import transaction
from studypack.courses.models import Topic
from studypack.questions.answers import (
    Media,
    Option,
    QuestionContent,
    QuestionType,
    RectRegion,
    Section,
)
from studypack.questions.service import BankItem, import_questions
from studypack.quizzes import authoring
from studypack.quizzes.authoring import ChosenQuestion
from tests.support import bank, exams, learning
from tests.support.exams import any_answer
from tests.support.learning import Material

__all__ = ["any_answer"]

ALL_TYPES = tuple(QuestionType)


@dataclass
class QuizMaterial:
    """A quiz with its course, topics by name, and questions in the author's order."""

    id: UUID
    course: Material
    topics: dict[str, UUID] = field(default_factory=dict)
    questions: list[UUID] = field(default_factory=list)

    @property
    def path(self) -> str:
        return f"/api/quizzes/{self.id}"

    @property
    def admin_path(self) -> str:
        return f"/api/admin/quizzes/{self.id}"


def content(kind: QuestionType = QuestionType.SINGLE_BEST, mark: str = "") -> QuestionContent:
    """A sound question of a type; `SECRET` stands in everything that is secret."""
    texts = [f"Option {letter}{mark}" for letter in "ABCD"]
    given: dict[str, Any] = {}
    match kind:
        case QuestionType.SINGLE_BEST:
            given["options"] = [
                Option(id=uuid4(), content=text, is_correct=place == 0, sort_order=place)
                for place, text in enumerate(texts)
            ]
        case QuestionType.MULTI_SELECT:
            given["options"] = [
                Option(id=uuid4(), content=text, is_correct=place < 2, sort_order=place)
                for place, text in enumerate(texts)
            ]
        case QuestionType.ORDERING:
            given["options"] = [
                Option(id=uuid4(), content=text, sort_order=place)
                for place, text in enumerate(texts)
            ]
        case QuestionType.HOT_SPOT:
            given["media"] = Media(key="a.svg", alt="A picture", width=100, height=100)
            given["regions"] = [RectRegion(x=10, y=10, width=20, height=20)]
        case QuestionType.CLINICAL_SIM:
            given["sections"] = [Section(title="First", prompt="What now?")]
            given["options"] = [
                Option(
                    id=uuid4(),
                    content=text,
                    sort_order=place,
                    section=0,
                    points=(2, 1, 0, -1)[place],
                    feedback="SECRET feedback",
                )
                for place, text in enumerate(texts)
            ]
    return QuestionContent(
        type=kind, stem=f"What is right?{mark}", rationale="SECRET rationale", **given
    )


def add_topic(course: Material, name: str, parent: UUID | None = None) -> UUID:
    """One more topic of a course."""
    with transaction() as session:
        topic = Topic(
            course_id=course.id,
            parent_id=parent,
            slug=name.lower().replace(" ", "-"),
            name=name,
        )
        session.add(topic)
        session.flush()
        return topic.id


def add_questions(topic: UUID, contents: Sequence[QuestionContent]) -> list[UUID]:
    """Put questions into the bank, ACTIVE."""
    names = [f"q-{uuid4().hex[:10]}" for _ in contents]
    with transaction() as session:
        import_questions(
            session,
            [
                BankItem(name, topic, 3, content)
                for name, content in zip(names, contents, strict=True)
            ],
        )
    ids = {
        row.source_id: row.id
        for row in bank.rows(
            "SELECT source_id, id FROM learning.questions WHERE source_id = ANY(:names)",
            names=names,
        )
    }
    return [ids[name] for name in names]


def a_quiz(
    topics: Mapping[str, int] | None = None,
    *,
    course: Material | None = None,
    kinds: Sequence[QuestionType] = (QuestionType.SINGLE_BEST,),
    points: int = 1,
    published: bool = True,
    in_module: bool = True,
    **columns: Any,
) -> QuizMaterial:
    """A quiz over so many questions of each topic (by name), their types taking turns; in the first
    module of its course, or on the first topic alone.
    """
    course = course or learning.a_course(0)
    made = QuizMaterial(uuid4(), course)
    number = 0
    for name, count in (topics or {"Loops": 2}).items():
        made.topics[name] = add_topic(course, name)
        contents = [content(kinds[(number + each) % len(kinds)]) for each in range(count)]
        made.questions += add_questions(made.topics[name], contents)
        number += count
    place = (
        {"module_id": course.modules[0]}
        if in_module
        else {"topic_id": next(iter(made.topics.values()))}
    )
    with transaction() as session:
        made.id = authoring.create(
            session, course.id, {"title": "A quiz", **place, **columns}, by=None
        )
    choose(made, [ChosenQuestion(each, points) for each in made.questions])
    if published:
        with transaction() as session:
            authoring.publish(session, made.id, by=None)
    return made


def choose(quiz: QuizMaterial, chosen: Sequence[ChosenQuestion]) -> None:
    """State a quiz's questions."""
    seen = bank.value("SELECT updated_at FROM learning.quizzes WHERE id = :id", id=quiz.id)
    with transaction() as session:
        authoring.choose_questions(session, quiz.id, chosen, seen_at=seen, by=None)


def begin(person: Any, quiz: QuizMaterial, *, status: int = 201, **headers: str) -> dict[str, Any]:
    """Begin an attempt."""
    answer = person.post(f"{quiz.path}/attempts", headers=headers)
    assert answer.status_code == status, answer.text
    document: dict[str, Any] = answer.json()
    return document


def save(
    person: Any,
    attempt: Mapping[str, Any],
    item: Mapping[str, Any],
    response: Any,
    *,
    revision: int = 1,
    **details: Any,
) -> Any:
    """Save one answer; what comes back of any status."""
    body = {"response": response, "revision": revision, **details}
    return person.put(
        f"/api/quiz-attempts/{attempt['id']}/answers/{item['question_id']}", json=body
    )


def right(item: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to an item that earns full credit."""
    return exams.right_answer(exams.content_of(item["question_id"]))


def wrong(item: Mapping[str, Any]) -> dict[str, Any]:
    """An answer that earns nothing."""
    content = exams.content_of(item["question_id"])
    last = [str(option.id) for option in content.options][-1:]
    match content.type:
        case QuestionType.SINGLE_BEST:
            return {"type": content.type.value, "option_id": last[0]}
        case QuestionType.ORDERING:
            backwards = [str(option.id) for option in reversed(content.options)]
            return {"type": content.type.value, "option_ids": backwards}
        case QuestionType.HOT_SPOT:
            return {"type": content.type.value, "x": 90, "y": 90}
        case _:
            return {"type": content.type.value, "option_ids": last}


def answer_all(
    person: Any, attempt: Mapping[str, Any], rights: int | None = None, *, seconds: int = 30
) -> None:
    """Answer every item, the first so many (None: all) rightly, the rest wrongly."""
    for place, item in enumerate(attempt["items"]):
        is_right = rights is None or place < rights
        saved = save(
            person,
            attempt,
            item,
            right(item) if is_right else wrong(item),
            time_spent_seconds=seconds,
        )
        assert saved.status_code == 200, saved.text


def submit(person: Any, attempt: Mapping[str, Any]) -> dict[str, Any]:
    """Submit an attempt."""
    answer = person.post(f"/api/quiz-attempts/{attempt['id']}/submit")
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def take(
    person: Any, quiz: QuizMaterial, rights: int | None = None, *, seconds: int = 30
) -> dict[str, Any]:
    """A whole attempt."""
    attempt = begin(person, quiz)
    answer_all(person, attempt, rights, seconds=seconds)
    return submit(person, attempt)


def move_clock(attempt: Mapping[str, Any], seconds: float) -> None:
    """Let an attempt's time pass: start and deadline move into the past."""
    bank.execute(
        "UPDATE learning.quiz_attempts SET"
        " started_at = started_at - make_interval(secs => :s),"
        " deadline_at = deadline_at - make_interval(secs => :s) WHERE id = :id",
        id=attempt["id"],
        s=seconds,
    )
