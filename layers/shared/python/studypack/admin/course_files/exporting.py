"""A course from the database, as its files would have it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from studypack.admin.course_files import lesson_checks
from studypack.admin.course_files.content import (
    CourseContent,
    LessonContent,
    ModuleContent,
    QuizContent,
)
from studypack.admin.course_files.files import FileStore, media_key
from studypack.admin.course_files.lesson_types import (
    AssetFile,
    CaptionFile,
    LessonFile,
    ModuleFile,
    QuizFile,
    VideoFile,
)
from studypack.admin.course_files.questions import question_file
from studypack.admin.course_files.rows import CourseRows, find_course, load_rows
from studypack.admin.course_files.setting import as_written, markdown_as_written
from studypack.admin.course_files.types import (
    CourseFile,
    ExamFile,
    QuestionFile,
    TopicFile,
)
from studypack.core.errors import Conflict, FieldError
from studypack.courses.authoring import editing, prerequisites
from studypack.courses.models import Asset, Lesson, Module, Topic, VideoStatus
from studypack.exams.models import ExamTemplate, ScoringMode
from studypack.questions.models import Question, QuestionStatus, QuestionVersion
from studypack.questions.service import RETIRED_BY_IMPORT
from studypack.quizzes.models import Quiz


def export_content(session: Session, slug: str, *, files: FileStore | None) -> CourseContent:
    """A course with all that its files hold.

    Raises NotFound (`course_not_found`); Conflict (`files_missing`) naming pictures and lessons'
    files that are not where they should lie, so that none is lost unseen.
    """
    course = find_course(session, slug)
    if course is None:
        raise editing.not_found("course")
    rows = load_rows(session, course)
    topics = {row.id: slug for slug, row in rows.topics.items()}
    questions = _questions(session, rows, topics)
    names = {question_id: question.id for question_id, question in questions.items()}
    missing: list[FieldError] = []
    modules = tuple(
        _module(rows, module, topics, names, files, missing) for module in _placed(rows.modules)
    )
    asked = [each.slug for each in prerequisites.of_course(session, course.id)]
    made = CourseContent(
        course=CourseFile.model_construct(
            slug=course.slug,
            **_texts(course, "title", "description", "disclaimer", "icon", "syllabus"),
            difficulty=course.difficulty,
            position=course.position,
            published=course.published,
            prerequisites=tuple(sorted(asked)),
            topics=_topics(rows.topics.values(), None),
            modules=tuple(module.slug for module in modules),
        ),
        modules=modules,
        quizzes=tuple(
            _quiz(rows, quiz, topics, names)
            for _, quiz in sorted(rows.quizzes.items())
            if quiz.deleted_at is None and quiz.module_id is None
        ),
        questions=tuple(questions.values()),
        exams=tuple(
            _exam(exam, topics) for _, exam in sorted(rows.exams.items()) if exam.deleted_at is None
        ),
    )
    with_media = _with_media(made, files, missing)
    if missing:
        raise Conflict(
            "Files of the course are not where they should lie.",
            code="files_missing",
            errors=missing,
        )
    return with_media


def _placed(modules: Mapping[str, Module]) -> list[Module]:
    living = [module for module in modules.values() if module.deleted_at is None]
    return sorted(living, key=lambda module: module.position or 0)


def _texts(row: Any, *names: str) -> dict[str, Any]:
    return {name: as_written(getattr(row, name)) for name in names}


def _topics(topics: Iterable[Topic], parent_id: UUID | None) -> tuple[TopicFile, ...]:
    rows = list(topics)
    return tuple(
        TopicFile.model_construct(
            slug=row.slug,
            **_texts(row, "name", "description"),
            difficulty=row.difficulty_level,
            topics=_topics(rows, row.id),
        )
        for row in rows
        if row.parent_id == parent_id
    )


def _module(
    rows: CourseRows,
    module: Module,
    topics: Mapping[UUID, str],
    names: Mapping[UUID, str],
    files: FileStore | None,
    missing: list[FieldError],
) -> ModuleContent:
    lessons = sorted(
        (
            lesson
            for lesson in rows.lessons.values()
            if lesson.module_id == module.id and lesson.deleted_at is None
        ),
        key=lambda lesson: lesson.position or 0,
    )
    quizzes = sorted(
        (
            quiz
            for quiz in rows.quizzes.values()
            if quiz.module_id == module.id and quiz.deleted_at is None
        ),
        key=lambda quiz: (rows.quiz_places.get(quiz.id, 0), quiz.title, quiz.slug),
    )
    folder = _AssetFolder(module.slug, files, missing)
    written = tuple(_lesson(rows, lesson, topics, folder) for lesson in lessons)
    return ModuleContent(
        slug=module.slug,
        file=ModuleFile.model_construct(
            **_texts(module, "title", "description", "syllabus"),
            release_after_days=module.release_after_days,
            published=module.published,
            lessons=tuple(lesson.slug for lesson in lessons),
            quizzes=tuple(quiz.slug for quiz in quizzes),
        ),
        lessons=written,
        quizzes=tuple(_quiz(rows, quiz, topics, names) for quiz in quizzes),
        assets=dict(sorted(folder.held.items())),
    )


class _AssetFolder:
    """A module's `assets`: one name for each content, whatever lessons call theirs."""

    def __init__(self, module: str, files: FileStore | None, missing: list[FieldError]) -> None:
        self.module = module
        self.files = files
        self.missing = missing
        self.held: dict[str, bytes] = {}

    def name_of(self, asset: Asset) -> str:
        """Put a lesson's file into the folder, and return its name there."""
        name = safe_name(asset.file_name)
        data = self.files.read(asset.storage_key) if self.files is not None else None
        if data is None:
            path = f"modules/{self.module}/assets/{name}"
            self.missing.append(FieldError(path, "missing", asset.storage_key))
            return name
        stem, dot, suffix = name.rpartition(".")
        number = 2
        while self.held.get(name, data) != data:
            name = f"{stem}-{number}{dot}{suffix}"
            number += 1
        self.held[name] = data
        return name


def safe_name(file_name: str) -> str:
    """A name as files of a course may have it: an uploaded one may be in any script."""
    kept = "".join(
        each if each.isascii() and (each.isalnum() or each in "._-") else "-" for each in file_name
    )
    kept = kept.lstrip("._-") or "file"
    stem, dot, suffix = kept.rpartition(".")
    return f"{stem[:100]}{dot}{suffix[:15]}" if dot else kept[:100]


def _lesson(
    rows: CourseRows, lesson: Lesson, topics: Mapping[UUID, str], folder: _AssetFolder
) -> LessonContent:
    return LessonContent(
        slug=lesson.slug,
        file=LessonFile.model_construct(
            **_texts(lesson, "title", "summary", "transcript"),
            kind=lesson.kind,
            topic=topics.get(lesson.topic_id) if lesson.topic_id else None,
            free=lesson.is_free,
            published=lesson.published,
            minutes=lesson.estimated_minutes,
            video=_video(lesson),
            assets=tuple(
                _asset(folder.name_of(asset), asset) for asset in rows.assets.get(lesson.id, [])
            ),
        ),
        content=lesson.content,
        content_markdown=markdown_as_written(lesson.content_markdown),
        body_text=lesson.body_text,
    )


def _asset(name: str, asset: Asset) -> AssetFile:
    saved_as = None if asset.file_name == name else asset.file_name
    return AssetFile.model_construct(file=name, title=as_written(asset.title), name=saved_as)


def _video(lesson: Lesson) -> VideoFile | None:
    playback_id, seconds = lesson.mux_playback_id, lesson.duration_seconds
    if lesson.video_status is not VideoStatus.READY or playback_id is None or seconds is None:
        return None
    known = CaptionFile.model_fields
    captions = tuple(
        CaptionFile.model_construct(
            **{
                "name": track.get("language"),
                **{name: track[name] for name in known if track.get(name) is not None},
            }
        )
        for track in lesson.captions
        if track.get("language")
    )
    return VideoFile.model_construct(
        playback_id=playback_id,
        duration_seconds=seconds,
        captions=captions or None,
    )


def _quiz(
    rows: CourseRows, quiz: Quiz, topics: Mapping[UUID, str], names: Mapping[UUID, str]
) -> QuizContent:
    columns = QuizFile.model_fields.keys() - {"title", "description", "topic", "questions"}
    questions = [
        {"id": names[chosen.question_id], "points": chosen.points}
        for chosen in rows.quiz_questions.get(quiz.id, [])
        if chosen.question_id in names
    ]
    file = QuizFile.model_validate(
        {
            **_texts(quiz, "title", "description"),
            **{name: getattr(quiz, name) for name in columns},
            "topic": topics.get(quiz.topic_id) if quiz.topic_id else None,
            "questions": questions,
        }
    )
    return QuizContent(quiz.slug, file)


def _exam(exam: ExamTemplate, topics: Mapping[UUID, str]) -> ExamFile:
    blueprint = exam.blueprint
    scale = None
    if exam.scoring_mode is ScoringMode.SCALED:
        scale = {
            "minimum": exam.scale_minimum,
            "maximum": exam.scale_maximum,
            "pass_score": exam.pass_score,
            "pass_theta": float(exam.pass_theta or 0),
        }
    return ExamFile.model_validate(
        {
            "slug": exam.slug,
            **_texts(exam, "title", "description"),
            "duration_minutes": exam.duration_minutes,
            "scoring_mode": exam.scoring_mode.value,
            "items": blueprint["items"],
            "topics": [
                {"topic": topics[UUID(each["topic_id"])], "weight": each["weight"]}
                for each in blueprint["topics"]
            ],
            "sequence": blueprint["sequence"],
            "shuffle_options": blueprint["shuffle_options"],
            "practice": exam.is_practice,
            "pause_minutes": exam.pause_minutes,
            "retake_after_hours": exam.retake_after_hours,
            "max_attempts": exam.max_attempts,
            "pass_percent": exam.pass_percent,
            "scaled": scale,
        }
    )


def _questions(
    session: Session, rows: CourseRows, topics: Mapping[UUID, str]
) -> dict[UUID, QuestionFile]:
    """The bank's questions that authors gave a name: ACTIVE ones, and those withdrawn by hand,
    which the files go on having (an import leaves them withdrawn).
    """
    found = session.execute(
        select(Question, QuestionVersion.content)
        .join(
            QuestionVersion,
            (QuestionVersion.question_id == Question.id)
            & (QuestionVersion.version == Question.version),
        )
        .where(
            Question.topic_id.in_(list(topics)),
            Question.source_id.is_not(None),
            Question.deleted_at.is_(None),
            or_(
                Question.status == QuestionStatus.ACTIVE,
                (Question.status == QuestionStatus.RETIRED)
                & ~Question.question_metadata.contains(RETIRED_BY_IMPORT),
            ),
        )
        .order_by(Question.source_id)
    )
    return {
        row.Question.id: question_file(row.Question, topics[row.Question.topic_id], row.content)
        for row in found
    }


def _with_media(
    content: CourseContent, files: FileStore | None, missing: list[FieldError]
) -> CourseContent:
    shown = set(lesson_checks.shown_in_lessons(content))
    shown |= {question.image.file for question in content.questions if question.image}
    media: dict[str, bytes] = {}
    for file in sorted(shown):
        key = media_key(content.course.slug, file)
        data = files.read(key) if files is not None else None
        if data is None:
            missing.append(FieldError(f"media/{file}", "missing", key))
        else:
            media[file] = data
    return CourseContent(
        course=content.course,
        modules=content.modules,
        quizzes=content.quizzes,
        questions=content.questions,
        exams=content.exams,
        media=media,
    )
