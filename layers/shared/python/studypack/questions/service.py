"""Write the bank: a changed question gets a new version, an unchanged one is left alone."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid5

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from studypack.core.errors import FieldError, Unprocessable
from studypack.courses.models import Topic
from studypack.questions.answers import QuestionContent, validate_content
from studypack.questions.models import Question, QuestionOption, QuestionStatus, QuestionVersion

RETIRED_BY_IMPORT = {"retired_by": "import"}
"""In `metadata`: tells what left its author's files from what somebody withdrew by hand."""


@dataclass(frozen=True)
class BankItem:
    """A question as an author gives it: identified by `source_id`, placed under a topic."""

    source_id: str
    topic_id: UUID
    difficulty: int | None
    content: QuestionContent


@dataclass(frozen=True)
class ImportReport:
    """What an import did."""

    created: int
    changed: int
    unchanged: int
    revived: int = 0
    """Of these: retired when they left the files, ACTIVE again."""
    left_retired: int = 0
    """Of these: withdrawn by hand; up to date, but not drawn."""


def lock_bank(session: Session) -> None:
    """Let no other import go on until the end of this transaction: two that create the same
    question would meet at its `source_id`.
    """
    session.execute(
        select(func.pg_advisory_xact_lock(func.hashtextextended("questions.import", 0)))
    )


def option_id(source_id: str, section: int | None, text: str) -> UUID:
    """The id of an imported option: the same at each import, and made of nothing that tells its
    place or worth.
    """
    namespace = UUID(bytes=hashlib.sha256(source_id.encode()).digest()[:16])
    return uuid5(namespace, f"{section}:{text}")


def import_questions(session: Session, items: Sequence[BankItem]) -> ImportReport:
    """Create and update questions by `source_id`, as ACTIVE; nothing is written if one of them
    is unsound or belongs to another course.

    What retire_missing retired is ACTIVE again; what was withdrawn by hand stays withdrawn: an
    author's next import must not bring a faulty question back. Raises Unprocessable with one error
    per problem, `field` being `<source_id>.<path>`.
    """
    problems = [
        FieldError(f"{item.source_id}.{problem.field}", "unsound", problem.message)
        for item in items
        for problem in validate_content(item.content)
    ]
    seen: set[str] = set()
    for item in items:
        if item.source_id in seen:
            problems.append(FieldError(item.source_id, "duplicate", "The id is there twice."))
        seen.add(item.source_id)
    if problems:
        raise Unprocessable("Some questions cannot be used.", errors=problems)
    lock_bank(session)
    stored = _stored(session, [item.source_id for item in items])
    _check_courses(session, items, stored)
    created = changed = revived = left_retired = 0
    for item in items:
        question = stored.get(item.source_id)
        if question is None:
            session.add(_new_question(item))
            created += 1
            continue
        revived += _revive(question)
        left_retired += question.status is QuestionStatus.RETIRED or question.deleted_at is not None
        changed += _apply(question, item)
    session.flush()
    _write_versions(session, items)
    return ImportReport(created, changed, len(items) - created - changed, revived, left_retired)


def retire_missing(session: Session, course_id: UUID, source_ids: Collection[str]) -> int:
    """Retire the course's imported ACTIVE questions but these, and say how many; forms that hold
    one keep it.
    """
    lock_bank(session)
    missing = session.scalars(
        select(Question)
        .join(Topic, Topic.id == Question.topic_id)
        .where(
            Topic.course_id == course_id,
            Question.source_id.is_not(None),
            Question.source_id.not_in(list(source_ids)),
            Question.status == QuestionStatus.ACTIVE,
            Question.deleted_at.is_(None),
        )
        .order_by(Question.id)
        .with_for_update(of=Question)
    ).all()
    for question in missing:
        question.status = QuestionStatus.RETIRED
        question.question_metadata = question.question_metadata | RETIRED_BY_IMPORT
    session.flush()
    return len(missing)


def _stored(session: Session, source_ids: Iterable[str]) -> dict[str, Question]:
    rows = session.scalars(
        select(Question)
        .where(Question.source_id.in_(list(source_ids)))
        .order_by(Question.id)  # one sequence of locks for whoever locks several
        .with_for_update()
    )
    return {question.source_id: question for question in rows if question.source_id}


def _check_courses(
    session: Session, items: Sequence[BankItem], stored: Mapping[str, Question]
) -> None:
    """Ids are one space for all courses: one that is taken must not move a question over."""
    topics = {item.topic_id for item in items} | {q.topic_id for q in stored.values()}
    rows = session.execute(select(Topic.id, Topic.course_id).where(Topic.id.in_(topics)))
    course = {row.id: row.course_id for row in rows}
    taken = [
        FieldError(item.source_id, "another_course", "The id is a question's of another course.")
        for item in items
        if item.source_id in stored
        and course.get(stored[item.source_id].topic_id) != course.get(item.topic_id)
    ]
    if taken:
        raise Unprocessable("Some ids belong to questions of another course.", errors=taken)


def _revive(question: Question) -> bool:
    if not RETIRED_BY_IMPORT.items() <= question.question_metadata.items():
        return False
    question.question_metadata = {
        name: value
        for name, value in question.question_metadata.items()
        if name not in RETIRED_BY_IMPORT
    }
    if question.status is not QuestionStatus.RETIRED:  # somebody was faster, by hand
        return False
    question.status = QuestionStatus.ACTIVE
    return True


def _new_question(item: BankItem) -> Question:
    question = Question(source_id=item.source_id, version=1, status=QuestionStatus.ACTIVE)
    _copy(question, item)
    return question


def _copy(question: Question, item: BankItem) -> None:
    content = item.content
    document = content.model_dump(mode="json")
    question.type = content.type
    question.topic_id = item.topic_id
    question.stem = content.stem
    question.media = document["media"]
    question.rationale = content.rationale
    question.difficulty = item.difficulty
    question.question_metadata = {
        name: document[name] for name in ("regions", "sections", "select") if document[name]
    } | {"content_hash": _hash(content)}


def _apply(question: Question, item: BankItem) -> bool:
    """Whether anything changed; a changed content raises the version and drops its calibration."""
    same_content = question.question_metadata.get("content_hash") == _hash(item.content)
    same_place = (question.topic_id, question.difficulty) == (item.topic_id, item.difficulty)
    if same_content and same_place:
        return False
    _copy(question, item)
    if not same_content:
        question.version += 1
        question.discrimination = question.location = question.calibrated_at = None
    return True


def _hash(content: QuestionContent) -> str:
    return hashlib.sha256(content.model_dump_json().encode()).hexdigest()


def _write_versions(session: Session, items: Sequence[BankItem]) -> None:
    """Store the content, and the options as rows, of every current version that is not stored
    yet.
    """
    stored = _stored(session, [item.source_id for item in items])
    known = {
        (row.question_id, row.version)
        for row in session.execute(
            select(QuestionVersion.question_id, QuestionVersion.version).where(
                QuestionVersion.question_id.in_([question.id for question in stored.values()])
            )
        )
    }
    new = [
        (stored[item.source_id], item.content)
        for item in items
        if (stored[item.source_id].id, stored[item.source_id].version) not in known
    ]
    if not new:
        return
    session.execute(
        delete(QuestionOption).where(
            QuestionOption.question_id.in_([question.id for question, _ in new])
        )
    )
    for question, content in new:
        session.add(
            QuestionVersion(
                question_id=question.id,
                version=question.version,
                content=content.model_dump(mode="json"),
            )
        )
        session.add_all(_option_rows(question.id, content))
    session.flush()


def _option_rows(question_id: UUID, content: QuestionContent) -> Iterable[QuestionOption]:
    for place, option in enumerate(content.options):
        yield QuestionOption(
            id=option.id,
            question_id=question_id,
            label=chr(ord("A") + place) if place < 26 else str(place + 1),
            content=option.content,
            is_correct=option.is_correct,
            sort_order=place,
            points=option.points,
            feedback=option.feedback,
            section=option.section,
        )
