"""What authors write into a module's folder, as typed values."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from studypack.admin.course_files.base import SMALLINT, FileModel, Optional, Slug, Title
from studypack.courses.models import LessonKind
from studypack.quizzes.models import AttemptPolicy

FILE_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,119}$"

Places = Annotated[int, Field(ge=1, le=SMALLINT)]


class ModuleFile(FileModel):
    """module.yaml"""

    title: Title
    description: Optional = None
    syllabus: Optional = None
    release_after_days: Annotated[int, Field(ge=1, le=3650)] | None = None
    published: bool = True
    lessons: tuple[Slug, ...] = ()
    quizzes: tuple[Slug, ...] = ()


class CaptionFile(FileModel):
    """A track of captions that the video has; without a status it is ready."""

    language: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$")]
    name: Title
    track_id: Annotated[str, StringConstraints(max_length=200)] | None = None
    status: Annotated[str, StringConstraints(max_length=50)] | None = None


class VideoFile(FileModel):
    """A video that is with Mux already."""

    playback_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,200}$")]
    duration_seconds: Annotated[int, Field(ge=1, le=1_000_000)]
    captions: tuple[CaptionFile, ...] | None = None
    """None: those that it has stay."""


class AssetFile(FileModel):
    """A file of the module's `assets` folder."""

    file: Annotated[str, StringConstraints(pattern=FILE_NAME)]
    title: Title
    name: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    """What a browser saves it as, if not that."""

    @property
    def saved_as(self) -> str:
        """What a browser saves it as."""
        return self.name or self.file


class LessonFile(FileModel):
    """A lesson's front matter; what a .json file has beside its content."""

    title: Title
    summary: Optional = None
    kind: LessonKind = LessonKind.ARTICLE
    topic: Slug | None = None
    free: bool = False
    published: bool = True
    minutes: Places | None = None
    transcript: Optional = None
    video: VideoFile | None = None
    assets: tuple[AssetFile, ...] = ()


def _spelt_out(value: Any) -> Any:
    return {"id": value} if isinstance(value, str) else value


class QuizQuestionFile(FileModel):
    """A question of the course's bank in a quiz."""

    id: Slug
    points: Annotated[int, Field(ge=1, le=1_000)] = 1


def _to_the_cent(share: Decimal) -> Decimal:
    if share != round(share, 2):
        raise ValueError("at most two decimal places")
    return share


class QuizFile(FileModel):
    """<quiz>.quiz.yaml"""

    title: Title
    description: Optional = None
    topic: Slug | None = None
    passing_score: Annotated[int, Field(ge=0, le=100)] = 70
    time_limit_minutes: Annotated[int, Field(ge=1, le=1440)] | None = None
    max_attempts: Places | None = None
    attempt_policy: AttemptPolicy = AttemptPolicy.BEST
    question_count: Places | None = None
    shuffle_questions: bool = True
    shuffle_options: bool = True
    negative_marking: Annotated[Decimal, Field(ge=0, le=1), AfterValidator(_to_the_cent)] = Decimal(
        0
    )
    published: bool = True
    questions: Annotated[
        tuple[Annotated[QuizQuestionFile, BeforeValidator(_spelt_out)], ...],
        Field(min_length=1, max_length=200),
    ]
