"""Modules, lessons, files: what authors make of a course."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Computed,
    Index,
    SmallInteger,
    UniqueConstraint,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from studypack.core.database import (
    Base,
    EnumText,
    SoftDelete,
    Timestamps,
    foreign_key,
    new_id,
    one_of,
)
from studypack.core.database.base import BIGINT
from studypack.courses.tables.catalogue import NOT_DELETED


class LessonKind(StrEnum):
    """What a lesson mainly is (seed 001 MaterialType, seed 003 content_type)."""

    VIDEO = "VIDEO"
    ARTICLE = "ARTICLE"
    CODE_EXAMPLE = "CODE_EXAMPLE"
    INTERACTIVE = "INTERACTIVE"
    PDF = "PDF"


class VideoStatus(StrEnum):
    """How far a lesson's video is with Mux."""

    UPLOADING = "UPLOADING"
    PROCESSING = "PROCESSING"
    READY = "READY"
    ERRORED = "ERRORED"


class AssetStatus(StrEnum):
    """Whether the file of an asset has arrived."""

    PENDING = "PENDING"
    READY = "READY"
    DELETED = "DELETED"
    """For nobody there any more; the row goes when the stored file has gone."""


class ItemKind(StrEnum):
    """What counts towards a module's progress."""

    LESSON = "LESSON"
    QUIZ = "QUIZ"
    ASSIGNMENT = "ASSIGNMENT"


_PLACED = "(deleted_at IS NULL) = (position IS NOT NULL)"
"""What is deleted gives its place up, so that places of the others stay unique."""


class Module(Timestamps, SoftDelete, Base):
    """An ordered part of a course."""

    __tablename__ = "modules"
    __table_args__ = (
        Index(
            "uq_modules_course_id_slug",
            "course_id",
            "slug",
            unique=True,
            postgresql_where=NOT_DELETED,
        ),
        UniqueConstraint("course_id", "position", deferrable=True, initially="DEFERRED"),
        CheckConstraint(_PLACED, name="placed"),
        CheckConstraint("position >= 0", name="position"),
        CheckConstraint("release_after_days BETWEEN 1 AND 3650", name="release_after_days"),
        {"schema": "learning"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    course_id: Mapped[UUID] = foreign_key("learning.courses.id", index=False)
    slug: Mapped[str]
    title: Mapped[str]
    description: Mapped[str | None]
    syllabus: Mapped[str | None]
    """Markdown."""
    position: Mapped[int | None] = mapped_column(SmallInteger)
    """From 0, without gaps after each move; NULL when deleted."""
    published: Mapped[bool] = mapped_column(server_default=false())
    release_after_days: Mapped[int | None] = mapped_column(SmallInteger)
    """Drip: opens so many days after the learner enrolled; NULL: at once."""


class Lesson(Timestamps, SoftDelete, Base):
    """One unit of content."""

    __tablename__ = "lessons"
    __table_args__ = (
        Index(
            "uq_lessons_module_id_slug",
            "module_id",
            "slug",
            unique=True,
            postgresql_where=NOT_DELETED,
        ),
        UniqueConstraint("module_id", "position", deferrable=True, initially="DEFERRED"),
        Index(None, "mux_asset_id", unique=True),
        Index(None, "mux_upload_id", unique=True),
        Index(None, "search", postgresql_using="gin"),
        one_of("kind", LessonKind),
        one_of("video_status", VideoStatus),
        CheckConstraint(_PLACED, name="placed"),
        CheckConstraint("position >= 0", name="position"),
        CheckConstraint("num_nonnulls(content, content_markdown) <= 1", name="one_content"),
        CheckConstraint("duration_seconds > 0", name="duration_seconds"),
        CheckConstraint("estimated_minutes > 0", name="estimated_minutes"),
        CheckConstraint(
            "video_status IS DISTINCT FROM 'READY' OR"
            " (mux_playback_id IS NOT NULL AND duration_seconds IS NOT NULL)",
            name="ready_video",
        ),
        {"schema": "learning"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    module_id: Mapped[UUID] = foreign_key("learning.modules.id", index=False)
    topic_id: Mapped[UUID | None] = foreign_key("learning.topics.id", ondelete="SET NULL")
    slug: Mapped[str]
    title: Mapped[str]
    summary: Mapped[str | None]
    kind: Mapped[LessonKind] = mapped_column(EnumText(LessonKind))
    position: Mapped[int | None] = mapped_column(SmallInteger)
    """From 0 within the module, without gaps after each move; NULL when deleted."""
    published: Mapped[bool] = mapped_column(server_default=false())
    is_free: Mapped[bool] = mapped_column(server_default=false())
    """Open to every signed-in user."""
    content: Mapped[dict[str, Any] | None]
    """A TipTap document as courses/content accepts it."""
    content_markdown: Mapped[str | None]
    """Or Markdown."""
    body_text: Mapped[str] = mapped_column(server_default="")
    """The content's words without markup: what search reads; written with the content."""
    estimated_minutes: Mapped[int | None] = mapped_column(SmallInteger)
    video_status: Mapped[VideoStatus | None] = mapped_column(EnumText(VideoStatus))
    """NULL: no video."""
    video_error: Mapped[str | None]
    """Mux's words about a video that could not be used."""
    video_changed_at: Mapped[datetime | None]
    """When the newest event that counted happened (Mux's time); an older one changes nothing."""
    mux_upload_id: Mapped[str | None]
    mux_asset_id: Mapped[str | None]
    mux_playback_id: Mapped[str | None]
    duration_seconds: Mapped[int | None]
    captions: Mapped[list[dict[str, Any]]] = mapped_column(JSONB, server_default=text("'[]'"))
    """[{"track_id", "language" (BCP 47), "name", "status"}], as Mux has them."""
    transcript: Mapped[str | None]
    """What is said in the video, as text."""
    search: Mapped[Any] = mapped_column(
        TSVECTOR,
        Computed(
            "setweight(to_tsvector('english', title), 'A')"
            " || setweight(to_tsvector('english', coalesce(summary, '')), 'B')"
            " || setweight(to_tsvector('english', left(body_text, 200000)), 'C')"
            " || setweight(to_tsvector('english', left(coalesce(transcript, ''), 200000)), 'D')",
            persisted=True,
        ),
        deferred=True,
    )


class ModuleItem(Timestamps, Base):
    """A quiz or an assignment that counts in a module. The floors above keep its row as theirs
    is (courses/items.py), so that a course's page and progress need nothing of them.
    """

    __tablename__ = "module_items"
    __table_args__ = (
        Index(None, "module_id", "position"),
        one_of("kind", ItemKind),
        CheckConstraint("kind <> 'LESSON'", name="of_a_floor_above"),
        {"schema": "learning"},
    )

    item_id: Mapped[UUID] = mapped_column(primary_key=True)
    """The quiz's or assignment's; a plain id, because it points up the floors."""
    module_id: Mapped[UUID] = foreign_key("learning.modules.id", index=False)
    kind: Mapped[ItemKind] = mapped_column(EnumText(ItemKind))
    title: Mapped[str]
    position: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    """After the module's lessons; equal ones by title."""
    published: Mapped[bool] = mapped_column(server_default=false())


class Asset(Timestamps, Base):
    """A downloadable file of a lesson."""

    __tablename__ = "assets"
    __table_args__ = (
        Index(None, "lesson_id", "position"),
        UniqueConstraint("storage_key"),
        one_of("status", AssetStatus),
        CheckConstraint("file_size > 0", name="file_size"),
        {"schema": "learning"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    lesson_id: Mapped[UUID] = foreign_key("learning.lessons.id", index=False)
    title: Mapped[str]
    file_name: Mapped[str]
    """What a browser saves it as."""
    storage_key: Mapped[str]
    file_size: Mapped[int] = mapped_column(BIGINT)
    """Bytes: as announced while PENDING, as stored when READY."""
    mime_type: Mapped[str]
    position: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    status: Mapped[AssetStatus] = mapped_column(
        EnumText(AssetStatus), server_default=AssetStatus.PENDING.value
    )


class VideoUpload(Base):
    """A video that was begun for a lesson: the current one, or a dropped one that may still lie
    with Mux (courses/video_uploads.py).
    """

    __tablename__ = "video_uploads"
    __table_args__ = (
        Index(
            "uq_video_uploads_lesson_id_current",
            "lesson_id",
            unique=True,
            postgresql_where=text("dropped_at IS NULL"),
        ),
        Index(
            None,
            "dropped_at",
            postgresql_where=text("dropped_at IS NOT NULL AND cleared_at IS NULL"),
        ),
        UniqueConstraint("mux_upload_id"),
        UniqueConstraint("mux_asset_id"),
        {"schema": "learning"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    """Mux is told it with the lesson's (passthrough), so that its events find here even when its
    answer was lost.
    """
    lesson_id: Mapped[UUID] = foreign_key("learning.lessons.id")
    mux_upload_id: Mapped[str | None]
    """NULL: reserved, and Mux's answer is not recorded."""
    mux_asset_id: Mapped[str | None]
    url: Mapped[str | None]
    """Where the file is sent to: who has it may."""
    expires_at: Mapped[datetime | None]
    """The url's end."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    dropped_at: Mapped[datetime | None]
    """Deleted by an admin or replaced by another."""
    cleared_at: Mapped[datetime | None]
    """When Mux had nothing of a dropped one any more."""


class MuxEvent(Base):
    """What Mux told us: the inbox of its webhook."""

    __tablename__ = "mux_events"
    __table_args__ = (
        Index(None, "received_at", postgresql_where=text("processed_at IS NULL")),
        Index(None, "object_id", postgresql_where=text("outcome = 'unknown'")),
        {"schema": "learning"},
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    """Mux's."""
    type: Mapped[str]
    object_id: Mapped[str | None]
    """Of the upload or asset that it is about; a track's event is about its asset."""
    payload: Mapped[dict[str, Any]]
    occurred_at: Mapped[datetime]
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())
    processed_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    """Stable code (courses/mux_inbox.py)."""
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    error: Mapped[str | None]
