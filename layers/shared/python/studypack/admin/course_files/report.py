"""What an import did, or would do."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from studypack.questions.service import ImportReport


class Kind(StrEnum):
    """What a course's files hold."""

    COURSE = "course"
    TOPIC = "topic"
    MODULE = "module"
    LESSON = "lesson"
    QUIZ = "quiz"
    QUESTION = "question"
    EXAM = "exam"
    ASSET = "asset"


class Change(StrEnum):
    """What became of one."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    REMOVED = "removed"


@dataclass
class Tally:
    """How many of a kind."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0


@dataclass
class CourseReport:
    """What loading a course did."""

    slug: str
    course_id: UUID
    tallies: dict[Kind, Tally] = field(default_factory=lambda: {kind: Tally() for kind in Kind})
    changes: list[tuple[Kind, str, Change]] = field(default_factory=list)
    """Kind and path or name of all but questions that did not stay as they were."""
    revived: int = 0
    """Questions that were gone from the files and are active again."""
    left_retired: int = 0
    """Questions withdrawn by hand, which an import leaves so."""
    exams_inactive: int = 0
    """In the files, but switched off by hand (`is_active`), which an import leaves so."""
    assets_skipped: int = 0
    """Files of lessons that could not be put anywhere: there is no storage here."""
    topics_kept: int = 0
    """Gone from the files, but questions or what learners know of them hang from them."""

    def note(self, kind: Kind, name: str, change: Change) -> None:
        """Count one."""
        tally = self.tallies[kind]
        setattr(tally, change.value, getattr(tally, change.value) + 1)
        if change is not Change.UNCHANGED:
            self.changes.append((kind, name, change))

    def note_questions(self, imported: ImportReport, retired: int) -> None:
        """Count what the bank took."""
        self.tallies[Kind.QUESTION] = Tally(
            imported.created, imported.changed, imported.unchanged, retired
        )
        self.revived = imported.revived
        self.left_retired = imported.left_retired

    @property
    def is_unchanged(self) -> bool:
        """Whether nothing was written."""
        return not self.revived and not any(
            tally.created or tally.changed or tally.removed for tally in self.tallies.values()
        )

    def __str__(self) -> str:
        bank = self.tallies[Kind.QUESTION]
        parts = [
            f"{bank.created} questions created, {bank.changed} changed, {bank.unchanged} unchanged"
        ]
        special = {
            "retired": bank.removed,
            "active again": self.revived,
            "withdrawn by hand and left so": self.left_retired,
            "exams removed": self.tallies[Kind.EXAM].removed,
            "exams inactive and left so": self.exams_inactive,
        }
        parts += [f"{count} {what}" for what, count in special.items() if count]
        for kind in (Kind.TOPIC, Kind.MODULE, Kind.LESSON, Kind.QUIZ, Kind.EXAM, Kind.ASSET):
            tally = self.tallies[kind]
            told = {"created": tally.created, "changed": tally.changed}
            if kind is not Kind.EXAM:
                told["removed"] = tally.removed
            plural = f"{kind}zes" if kind is Kind.QUIZ else f"{kind}s"
            parts += [f"{count} {plural} {what}" for what, count in told.items() if count]
        if self.topics_kept:
            parts.append(f"{self.topics_kept} topics kept, though gone from the files")
        return ", ".join(parts)
