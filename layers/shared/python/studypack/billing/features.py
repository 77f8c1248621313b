"""What an entitlement opens."""

from __future__ import annotations

from enum import StrEnum


class Feature(StrEnum):
    """The product's paid parts (domain.md, Access)."""

    COURSES = "courses"
    EXAMS = "exams"
    FLASHCARDS = "flashcards"
    ASSIGNMENTS = "assignments"
    TUTOR = "tutor"
    DOCUMENTS = "documents"


ALL_FEATURES = frozenset(Feature)
