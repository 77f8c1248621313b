"""Write the bank: a changed question gets a new version, an unchanged one is left alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid5

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from studypack.core.errors import FieldError, Unprocessable
from studypack.questions.answers import QuestionContent, validate_content
from studypack.questions.models import Question, QuestionOption, QuestionStatus, QuestionVersion


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


def option_id(source_id: str, section: int | None, text: str) -> UUID:
    """The id of an imported option: the same at each import, and made of nothing that tells its
    place or worth.
    """
    namespace = UUID(bytes=hashlib.sha256(source_id.encode()).digest()[:16])
    return uuid5(namespace, f"{section}:{text}")


def import_questions(session: Session, items: Sequence[BankItem]) -> ImportReport:
    """Create and update questions by `source_id`, as ACTIVE; nothing is written if one of them
    is unsound.

    Raises Unprocessable with one error per problem, `field` being `<source_id>.<path>`.
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
    stored = _stored(session, [item.source_id for item in items])
    created = changed = 0
    for item in items:
        question = stored.get(item.source_id)
        if question is None:
            session.add(_new_question(item))
            created += 1
        elif _apply(question, item):
            changed += 1
    session.flush()
    _write_versions(session, items)
    return ImportReport(created, changed, len(items) - created - changed)


def _stored(session: Session, source_ids: Iterable[str]) -> dict[str, Question]:
    rows = session.scalars(
        select(Question).where(Question.source_id.in_(list(source_ids))).with_for_update()
    )
    return {question.source_id: question for question in rows if question.source_id}


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
