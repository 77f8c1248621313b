"""Every field of the source documents has a home: docs/schema.md names it, and it exists."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from pathlib import Path

import studypack
from local.template import ROOT
from studypack.core.database import Base

PAGE = ROOT / "docs" / "schema.md"

MODELS = {
    "000": (
        "User Product Purchase Question QuestionVariant ExamTemplate ExamSession ExamResponse"
        " AnalyticsEvent"
    ),
    "001": (
        "User UserProfile Session PasswordReset EmailVerification ProgrammingLanguage Module"
        " Material LanguageEnrollment ModuleProgress MaterialProgress MCQQuiz MCQQuestion"
        " MCQOption MCQAttempt MCQAnswer QuizAnalysis UserActivity AnalyticsEvent Subscription"
        " Transaction Invoice PaymentMethod Notification NotificationPreference"
    ),
    "002": (
        "User Session Subscription VerificationToken EmailQueue EmailLog Event Module Lesson Asset"
        " LessonProgress"
    ),
    "003": (
        "users user_profiles subjects topics topic_progress lessons lesson_progress quizzes"
        " quiz_questions quiz_attempts xp_logs"
    ),
}
"""The models of each document that belong to what is built; 004 adds none."""

COLUMN = re.compile(r"`([a-z_]+\.[a-z_]+)\.([a-z_0-9]+)`")
NAME = re.compile(r"`((?:uq|ix|ck|pk|fk)_[a-z_]+)`")

for _path in Path(studypack.__file__).parent.glob("*/models.py"):
    importlib.import_module(f"studypack.{_path.parent.name}.models")


@dataclass(frozen=True)
class Row:
    """One line of a table of the page."""

    seed: str
    subject: str
    home: str


def _rows(heading: str) -> list[Row]:
    found: list[Row] = []
    inside = False
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            inside = False
        elif cells[:2] == ["seed", heading]:
            inside = True
        elif inside and not set(cells[0]) <= {"-"}:
            assert len(cells) == 3, line
            found.append(Row(*cells))
    return found


FIELDS = _rows("field")
RULES = _rows("rule")


def test_every_column_that_the_page_names_exists() -> None:
    named = [(table, column) for row in FIELDS for table, column in COLUMN.findall(row.home)]

    missing = [
        f"{table}.{column}"
        for table, column in named
        if table not in Base.metadata.tables or column not in Base.metadata.tables[table].c
    ]
    assert missing == []
    assert len(named) >= 290


def test_every_field_has_a_home_or_a_reason() -> None:
    without = [
        row for row in FIELDS if not COLUMN.search(row.home) and not row.home.startswith("not a ")
    ]

    assert without == []


def test_no_field_is_on_the_page_twice() -> None:
    subjects = [(row.seed, row.subject) for row in FIELDS]

    assert sorted(subjects) == sorted(set(subjects))


def test_every_model_of_the_documents_that_is_built_is_on_the_page() -> None:
    found: dict[str, set[str]] = {}
    for row in FIELDS:
        found.setdefault(row.seed, set()).add(row.subject.partition(".")[0])

    assert found == {seed: set(models.split()) for seed, models in MODELS.items()}


def test_every_index_and_uniqueness_that_the_documents_name_exists() -> None:
    ours = {
        str(each.name)
        for table in Base.metadata.tables.values()
        for each in (*table.constraints, *table.indexes)
    }

    for row in RULES:
        [name] = NAME.findall(row.home)
        assert name in ours, row
    assert len(RULES) >= 28
