"""Requests and responses of lessons: page, progress, notes."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, ValidationInfo, field_validator

from studypack.core.config import get_settings
from studypack.core.http import In, LongText, Moment, Out, ShortText, UtcTime
from studypack.courses.content import to_html
from studypack.courses.heartbeats import MAX_BEATS, Beat
from studypack.courses.lesson_page import LessonPage
from studypack.courses.models import LessonKind, NoteKind, VideoStatus
from studypack.courses.progress import LessonState
from studypack.courses.video import Playback

Seconds = Annotated[float, Field(ge=0, le=86_400)]
Position = Annotated[int, Field(ge=0, le=86_400)]


class PlaceOut(Out):
    """The module or course of a lesson."""

    id: UUID
    slug: str
    title: str


class NeighbourOut(Out):
    """The lesson before or after."""

    id: UUID
    slug: str
    title: str
    kind: LessonKind


class CaptionOut(Out):
    """A track of text that the player offers."""

    language: str
    name: str


class PlaybackOut(Out):
    """Links to the lesson's video; they are the learner's and expire."""

    playback_id: str
    duration_seconds: int
    stream_url: str
    thumbnail_url: str
    storyboard_url: str
    tokens: dict[str, str]
    captions: list[CaptionOut]
    viewer_id: str
    expires_at: UtcTime

    @classmethod
    def of(cls, playback: Playback) -> PlaybackOut:
        """From the service's links."""
        return cls.model_validate({**vars(playback), "tokens": dict(playback.tokens)})


class AssetLinkOut(Out):
    """A file of the lesson; its links expire."""

    id: UUID
    title: str
    file_name: str
    mime_type: str
    file_size: int = Field(description="Bytes")
    url: str = Field(description="Saves it")
    view_url: str | None = Field(description="Shows it in the browser; PDF only")
    expires_in_seconds: int


class LessonProgressOut(Out):
    """How far the learner is with the lesson."""

    view_count: int
    completed: bool
    completed_at: UtcTime | None
    position_seconds: int = Field(description="Where its video goes on")
    watched_seconds: int
    needed_seconds: int | None = Field(
        description="Watched, they complete the lesson; null when watching does not"
    )


class LessonOut(Out):
    """A lesson to study."""

    id: UUID
    slug: str
    title: str
    summary: str | None
    kind: LessonKind
    is_free: bool
    estimated_minutes: int | None
    course: PlaceOut
    disclaimer: str | None
    module: PlaceOut
    content: dict[str, Any] | None = Field(description="A TipTap document")
    content_markdown: str | None = Field(description="Or Markdown")
    html: str = Field(description="The content, safe to show as it is")
    transcript: str | None
    video_status: VideoStatus | None = Field(description="Null: no video")
    video: PlaybackOut | None = Field(description="Null while there is none to watch")
    assets: list[AssetLinkOut]
    progress: LessonProgressOut
    previous: NeighbourOut | None
    next: NeighbourOut | None
    notes: int

    @classmethod
    def of(cls, page: LessonPage) -> LessonOut:
        """From the service's page."""
        return cls.model_validate(
            {
                **vars(page),
                "html": to_html(
                    page.content,
                    page.content_markdown,
                    media_base=f"{get_settings().media_base_url}/{page.course.slug}",
                ),
                "video": None if page.video is None else PlaybackOut.of(page.video),
                "assets": [AssetLinkOut.model_validate(asset) for asset in page.assets],
                "progress": LessonProgressOut(
                    view_count=page.view_count,
                    completed=page.completed_at is not None,
                    completed_at=page.completed_at,
                    position_seconds=page.position_seconds,
                    watched_seconds=page.watched_seconds,
                    needed_seconds=page.needed_seconds,
                ),
            }
        )


class ViewIn(In):
    """The lesson was opened."""

    type: Literal["view"]


class BeatIn(In):
    """A range of the video that was played without a jump."""

    from_: Annotated[Seconds, Field(alias="from")]
    to: Seconds
    at: Moment | None = Field(
        default=None, description="When the player came to its end; null: just now"
    )

    @field_validator("to")
    @classmethod
    def _not_before(cls, to: float, given: ValidationInfo) -> float:
        if to < given.data.get("from_", 0):
            raise ValueError("`to` lies before `from`")
        return to

    def to_service(self) -> Beat:
        """In whole seconds."""
        return Beat(round(self.from_), round(self.to), self.at)


class HeartbeatsIn(In):
    """What the player played since its last message, and where it is."""

    type: Literal["heartbeats"]
    session_id: ShortText | None = Field(default=None, description="The browser's own session")
    beats: Annotated[list[BeatIn], Field(max_length=MAX_BEATS)]
    position: Seconds


class CompleteIn(In):
    """The learner is done with the lesson."""

    type: Literal["complete"]


ProgressIn = Annotated[ViewIn | HeartbeatsIn | CompleteIn, Field(discriminator="type")]


class ProgressOut(LessonProgressOut):
    """How far the learner is with the lesson, and what this call brought about."""

    lesson_id: UUID
    completed_now: bool = Field(description="The lesson was completed by this")
    module_completed: bool
    course_completed: bool

    @classmethod
    def of(cls, state: LessonState) -> ProgressOut:
        """From the service's answer."""
        return cls.model_validate(
            {
                **vars(state),
                "completed_now": state.completion.first_time,
                "module_completed": state.completion.module_completed,
                "course_completed": state.completion.course_completed,
            }
        )


class NoteIn(In):
    """A note or a bookmark."""

    kind: NoteKind = NoteKind.NOTE
    body: LongText = Field(default="", description="What a note says; a bookmark may go without")
    position_seconds: Position | None = Field(default=None, description="In the lesson's video")


class NotePatch(In):
    """What to change; what is left out stays."""

    # A default that stands for nothing: only what was sent is read.
    body: LongText = ""
    position_seconds: Position | None = None

    def changes(self) -> dict[str, Any]:
        """What was sent."""
        return self.model_dump(exclude_unset=True)


class NoteOut(Out):
    """A note or a bookmark of the learner's."""

    id: UUID
    lesson_id: UUID
    kind: NoteKind
    body: str
    position_seconds: int | None
    created_at: UtcTime
    updated_at: UtcTime
