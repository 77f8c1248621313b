"""A course's files into the database: set rows to what the files say, and tell what changed.

What is the same is decided by slugs (course, module, lesson in its module, quiz in its course) and
by questions' ids. What is gone from the files is retired or deleted softly, and is itself again,
with what learners did in it, when the files have it back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session, aliased

from studypack.admin.course_files import exams, lessons, quizzes
from studypack.admin.course_files.content import CourseContent
from studypack.admin.course_files.report import Change, CourseReport, Kind
from studypack.admin.course_files.rows import CourseRows, find_course, load_rows
from studypack.admin.course_files.setting import assign
from studypack.admin.course_files.storing import StoredFiles
from studypack.admin.course_files.types import TopicFile
from studypack.core.database import new_id
from studypack.core.errors import FieldError, Unprocessable
from studypack.courses.authoring import editing, prerequisites
from studypack.courses.models import Course, Topic, TopicMastery
from studypack.questions.models import Question
from studypack.questions.service import (
    BankItem,
    import_questions,
    lock_bank,
    retire_missing,
)
from studypack.quizzes.models import Quiz


def import_content(
    session: Session,
    content: CourseContent,
    *,
    stored: StoredFiles | None,
    now: datetime,
    by: UUID | None = None,
) -> CourseReport:
    """Write a course as its files have it, in the caller's transaction.

    `stored`: where lessons' files lie; None leaves them out. `by`: the admin. Raises Unprocessable
    with every mistake that only the database knows: names that other courses have, courses asked
    for that are not there, videos that are not; Conflict (`changed_meanwhile`) when a
    file's row went since it was stored. Then the caller's transaction must not be committed.
    """
    lock_bank(session)
    for kind in editing.Catalogue:  # before any course's own lock, as all authors' edits do
        editing.lock_catalogue(session, kind)
    errors = _names_of_others(session, content)
    if errors:
        raise _refusal(content, errors)
    course, report = _course(session, content)
    rows = load_rows(session, course)
    _topics(session, rows, None, content.course.topics, report)
    _questions(session, rows, content, report)
    errors += _prerequisites(session, course, content, by=by)
    exams.write(session, rows, content, report)
    errors += lessons.write(session, rows, content, report, stored=stored, now=now)
    quizzes.write(session, rows, content, report, now=now)
    if errors:
        raise _refusal(content, errors)
    session.flush()
    _remove_topics(session, rows, content, report)
    return report


def _refusal(content: CourseContent, errors: Sequence[FieldError]) -> Unprocessable:
    return Unprocessable(f"{content.course.slug} cannot be imported.", errors=errors)


def _names_of_others(session: Session, content: CourseContent) -> list[FieldError]:
    """Titles, questions' ids, exams' slugs are one space for all courses; what the course asks for
    has to be there.
    """
    own = Course.slug == content.course.slug
    title_taken = exists().where(
        Course.title == content.course.title, ~own, Course.deleted_at.is_(None)
    )
    errors = []
    if session.scalar(select(title_taken)):
        errors.append(FieldError("course.yaml: title", "taken", "Another course has this title."))
    errors += [
        FieldError("course.yaml: prerequisites", "unknown", f"There is no course {slug}.")
        for slug in content.course.prerequisites
        if slug not in _course_ids(session, content)
    ]
    taken = session.scalars(
        select(Question.source_id)
        .join(Topic, Topic.id == Question.topic_id)
        .join(Course, Course.id == Topic.course_id)
        .where(Question.source_id.in_([question.id for question in content.questions]), ~own)
        .order_by(Question.source_id)
    )
    message = "The id is a question's of another course."
    errors += [FieldError(f"questions: {name}", "another_course", message) for name in taken]
    return errors + exams.names_of_others(session, content)


def _course_ids(session: Session, content: CourseContent) -> Mapping[str, UUID]:
    """Of the courses that this one asks for."""
    rows = session.execute(
        select(Course.slug, Course.id).where(
            Course.slug.in_(content.course.prerequisites), Course.deleted_at.is_(None)
        )
    )
    return {row.slug: row.id for row in rows}


def _course(session: Session, content: CourseContent) -> tuple[Course, CourseReport]:
    slug = content.course.slug
    found = find_course(session, slug)
    course = found or Course(id=new_id(), slug=slug)
    if found is None:
        session.add(course)
    else:
        editing.lock_course(session, course.id)
    report = CourseReport(slug, course.id)
    file = content.course
    changed = assign(
        course,
        published=content.published,
        **{
            name: getattr(file, name)
            for name in (
                "title",
                "description",
                "difficulty",
                "disclaimer",
                "icon",
                "syllabus",
                "position",
            )
        },
    )
    report.note(
        Kind.COURSE,
        "course.yaml",
        Change.CREATED if found is None else Change.CHANGED if changed else Change.UNCHANGED,
    )
    session.flush()
    return course, report


def _topics(
    session: Session,
    rows: CourseRows,
    parent_id: UUID | None,
    topics: tuple[TopicFile, ...],
    report: CourseReport,
) -> None:
    for position, topic in enumerate(topics):
        found = rows.topics.get(topic.slug)
        row = found or Topic(id=new_id(), course_id=rows.course.id, slug=topic.slug)
        if found is None:
            session.add(row)
            rows.topics[topic.slug] = row
        changed = assign(
            row,
            parent_id=parent_id,
            name=topic.name,
            description=topic.description,
            difficulty_level=topic.difficulty,
            position=position,
        )
        report.note(
            Kind.TOPIC,
            topic.slug,
            Change.CREATED if found is None else Change.CHANGED if changed else Change.UNCHANGED,
        )
        session.flush()
        _topics(session, rows, row.id, topic.topics, report)


def _remove_topics(
    session: Session, rows: CourseRows, content: CourseContent, report: CourseReport
) -> None:
    """Delete topics that the files have no longer, unless something hangs from them: retired
    questions, or what learners know of the topic.
    """
    named = set(content.topic_slugs())
    gone = [topic for slug, topic in rows.topics.items() if slug not in named]
    below = aliased(Topic)
    # Those deep down first: what is above can go when all below it has gone.
    for topic in reversed(_from_above(gone)):
        hangs = select(
            or_(
                exists().where(Question.topic_id == topic.id),
                exists().where(TopicMastery.topic_id == topic.id),
                exists().where(Quiz.topic_id == topic.id),
                exists().where(below.parent_id == topic.id),
            )
        )
        if session.scalar(hangs):
            report.topics_kept += 1
            continue
        session.delete(topic)
        session.flush()
        report.note(Kind.TOPIC, topic.slug, Change.REMOVED)


def _from_above(topics: Sequence[Topic]) -> list[Topic]:
    waiting = list(topics)
    placed: list[Topic] = []
    while waiting:
        left = {topic.id for topic in waiting}
        ready = [topic for topic in waiting if topic.parent_id not in left]
        if not ready:  # a circle, which the schema does not know of
            return [*placed, *waiting]
        placed += ready
        waiting = [topic for topic in waiting if topic.parent_id in left]
    return placed


def _questions(
    session: Session, rows: CourseRows, content: CourseContent, report: CourseReport
) -> None:
    imported = import_questions(
        session,
        [
            BankItem(
                source_id=question.id,
                topic_id=rows.topics[question.topic].id,
                difficulty=question.difficulty,
                content=question.content(content.course.slug),
            )
            for question in content.questions
        ],
    )
    names = [question.id for question in content.questions]
    report.note_questions(imported, retire_missing(session, rows.course.id, names))


def _prerequisites(
    session: Session, course: Course, content: CourseContent, *, by: UUID | None
) -> list[FieldError]:
    """Let the course ask for what the files say; the mistakes, by the files' place."""
    wanted = content.course.prerequisites
    before = {each.slug: each.id for each in prerequisites.of_course(session, course.id)}
    if set(before) == set(wanted):
        return []
    known = _course_ids(session, content)
    try:
        prerequisites.replace(session, course.id, [known[slug] for slug in wanted], by=by)
    except Unprocessable as error:
        return [
            FieldError("course.yaml: prerequisites", each.code, each.message)
            for each in error.errors
        ]
    return []
