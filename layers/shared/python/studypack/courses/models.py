"""Every table of courses, as other packages import them (tables/)."""

from __future__ import annotations

from studypack.courses.tables.catalogue import (
    NOT_DELETED,
    Course,
    CoursePrerequisite,
    Topic,
    TopicMastery,
)
from studypack.courses.tables.content import (
    Asset,
    AssetStatus,
    ItemKind,
    Lesson,
    LessonKind,
    Module,
    ModuleItem,
    MuxEvent,
    VideoStatus,
    VideoUpload,
)
from studypack.courses.tables.learning import (
    Certificate,
    Enrollment,
    EnrollmentStatus,
    ItemCompletion,
    LessonProgress,
    ModuleProgress,
    Note,
    NoteKind,
    ProgressStatus,
)

__all__ = [
    "NOT_DELETED",
    "Asset",
    "AssetStatus",
    "Certificate",
    "Course",
    "CoursePrerequisite",
    "Enrollment",
    "EnrollmentStatus",
    "ItemCompletion",
    "ItemKind",
    "Lesson",
    "LessonKind",
    "LessonProgress",
    "Module",
    "ModuleItem",
    "ModuleProgress",
    "MuxEvent",
    "Note",
    "NoteKind",
    "ProgressStatus",
    "Topic",
    "TopicMastery",
    "VideoStatus",
    "VideoUpload",
]
