from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from studypack.core.database import transaction
from studypack.core.errors import Unprocessable
from studypack.questions.answers import Option, QuestionContent, QuestionType
from studypack.questions.service import (
    BankItem,
    ImportReport,
    import_questions,
    option_id,
    retire_missing,
)
from tests.support import bank
from tests.support.concurrency import meeting_at

Make = Callable[..., BankItem]


@pytest.fixture
def item(database_url: str) -> Make:
    """Makes items of a topic of the sample course: `item("q-1", stem=..., correct=...)`."""
    topic: UUID = bank.value("SELECT id FROM learning.topics WHERE slug = 'functions'")

    def make(source_id: str = "q-1", **details: Any) -> BankItem:
        choices = details.get("choices", ("one", "two", "three"))
        correct = details.get("correct", choices[0])
        return BankItem(
            source_id=source_id,
            topic_id=details.get("topic_id", topic),
            difficulty=details.get("difficulty", 3),
            content=QuestionContent(
                type=QuestionType.SINGLE_BEST,
                stem=details.get("stem", "Which?"),
                rationale=details.get("rationale", "Because."),
                options=tuple(
                    Option(
                        id=option_id(source_id, None, choice),
                        content=choice,
                        is_correct=choice == correct,
                        sort_order=place,
                    )
                    for place, choice in enumerate(choices)
                ),
            ),
        )

    return make


def load(*items: BankItem) -> ImportReport:
    with transaction() as session:
        return import_questions(session, items)


def question(source_id: str = "q-1") -> Any:
    return bank.row("SELECT * FROM learning.questions WHERE source_id = :id", id=source_id)


def versions(source_id: str = "q-1") -> list[str]:
    """The stems of the stored versions, the first one first."""
    return [
        row.stem
        for row in bank.rows(
            "SELECT v.content ->> 'stem' AS stem FROM learning.question_versions v"
            " JOIN learning.questions q ON q.id = v.question_id WHERE q.source_id = :id"
            " ORDER BY v.version",
            id=source_id,
        )
    ]


def options(source_id: str = "q-1") -> list[Any]:
    return bank.rows(
        "SELECT o.* FROM learning.question_options o JOIN learning.questions q"
        " ON q.id = o.question_id WHERE q.source_id = :id ORDER BY o.sort_order",
        id=source_id,
    )


def test_a_new_question_is_drawable_with_its_options_and_first_version(item: Make) -> None:
    assert load(item(correct="two")) == ImportReport(created=1, changed=0, unchanged=0)
    found = question()
    assert (found.status, found.version, found.type) == ("ACTIVE", 1, "SINGLE_BEST")
    assert [(o.label, o.content, o.is_correct) for o in options()] == [
        ("A", "one", False),
        ("B", "two", True),
        ("C", "three", False),
    ]
    assert versions() == ["Which?"]


def test_the_same_again_changes_nothing(item: Make) -> None:
    load(item())
    before = question(), options(), versions()
    assert load(item()) == ImportReport(created=0, changed=0, unchanged=1)
    assert (question(), options(), versions()) == before


def test_a_changed_question_gets_a_new_version_and_keeps_the_old_one(item: Make) -> None:
    load(item())
    first = question()
    assert load(item(stem="Which one?")) == ImportReport(created=0, changed=1, unchanged=0)
    second = question()
    assert (second.id, second.version) == (first.id, 2)
    assert second.stem == "Which one?"
    assert versions() == ["Which?", "Which one?"]


@pytest.mark.parametrize(
    "change",
    [{"correct": "two"}, {"rationale": "Just so."}, {"choices": ("one", "two", "three", "four")}],
)
def test_whatever_counts_for_the_score_or_the_review_is_a_change(
    item: Make, change: dict[str, Any]
) -> None:
    load(item())
    assert load(item(**change)).changed == 1
    assert question().version == 2
    correct = change.get("correct", "one")
    assert [o.content for o in options() if o.is_correct] == [correct]
    assert len(options()) == len(change.get("choices", "123"))


def test_a_change_of_place_alone_makes_no_version_and_keeps_the_calibration(item: Make) -> None:
    load(item())
    bank.execute("UPDATE learning.questions SET discrimination = 1.3 WHERE source_id = 'q-1'")
    elsewhere: UUID = bank.value("SELECT id FROM learning.topics WHERE slug = 'control-flow'")
    assert load(item(topic_id=elsewhere, difficulty=5)).changed == 1
    found = question()
    assert (found.topic_id, found.difficulty, found.version) == (elsewhere, 5, 1)
    assert float(found.discrimination) == 1.3


def test_a_changed_content_drops_its_calibration(item: Make) -> None:
    load(item())
    bank.execute(
        "UPDATE learning.questions SET discrimination = 1.3, location = 0.4, calibrated_at = now()"
        " WHERE source_id = 'q-1'"
    )
    load(item(stem="Which one?"))
    found = question()
    assert (found.discrimination, found.location, found.calibrated_at) == (None, None, None)


def test_going_back_to_an_old_content_is_a_version_of_its_own(item: Make) -> None:
    for stem in ("Which?", "Which one?", "Which?"):
        load(item(stem=stem))
    assert question().version == 3
    assert versions() == ["Which?", "Which one?", "Which?"]


def test_an_option_keeps_its_id_as_long_as_its_text(item: Make) -> None:
    load(item())
    before = {o.content: o.id for o in options()}
    load(item(choices=("three", "one", "two"), correct="one"))
    assert {o.content: o.id for o in options()} == before


def test_an_options_id_tells_neither_its_place_nor_its_worth() -> None:
    ids = {option_id("q", None, text) for text in ("one", "two")}
    ids |= {option_id("q", 0, "one"), option_id("other", None, "one")}
    assert len(ids) == 4
    assert {one.version for one in ids} == {5}


def test_one_unsound_question_keeps_all_out_and_every_problem_is_named(item: Make) -> None:
    with pytest.raises(Unprocessable) as refusal:
        load(
            item("fine"),
            item("no-key", correct="four"),
            item("no-text", stem=" ", rationale=""),
        )
    assert [error.field for error in refusal.value.errors] == [
        "no-key.options",
        "no-text.stem",
        "no-text.rationale",
    ]
    found = bank.value(
        "SELECT count(*) FROM learning.questions WHERE source_id IN ('fine', 'no-key', 'no-text')"
    )
    assert found == 0


def test_created_changed_and_unchanged_are_counted_in_one_import(item: Make) -> None:
    load(item("same"), item("other"))
    report = load(item("same"), item("other", stem="Else?"), item("new"))
    assert report == ImportReport(created=1, changed=1, unchanged=1)


def test_an_import_of_nothing_does_nothing(database_url: str) -> None:
    assert load() == ImportReport(0, 0, 0)


def test_an_import_costs_the_same_reads_for_one_question_and_for_many(
    item: Make, statements: Any
) -> None:
    load(*(item(f"q-{number}") for number in range(30)))
    statements()
    load(item("q-1"))
    one = len(statements())
    load(*(item(f"q-{number}") for number in range(30)))
    assert len(statements()) == one


def test_an_import_that_names_an_item_twice_is_refused(item: Make) -> None:
    with pytest.raises(Unprocessable) as refusal:
        load(item("q-1"), item("q-1"))
    assert [(error.field, error.code) for error in refusal.value.errors] == [("q-1", "duplicate")]


def retire_all_but(*source_ids: str) -> int:
    """The Python course's files hold these questions, and the sample content's, and no others."""
    course: UUID = bank.value("SELECT id FROM learning.courses WHERE slug = :s", s=bank.PYTHON)
    samples = bank.rows("SELECT source_id FROM learning.questions WHERE source_id LIKE 'py-%'")
    kept = {row.source_id for row in samples} | set(source_ids)
    with transaction() as session:
        return retire_missing(session, course, kept)


def test_an_id_of_another_course_is_refused_and_moves_no_question(item: Make) -> None:
    load(item("q-1"))
    topic: UUID = bank.value("SELECT id FROM learning.topics WHERE slug = 'intervention'")
    before = question(), versions()
    with pytest.raises(Unprocessable) as refusal:
        load(item("q-2", topic_id=topic), item("q-1", topic_id=topic, stem="Mine now?"))
    assert [(error.field, error.code) for error in refusal.value.errors] == [
        ("q-1", "another_course")
    ]
    assert (question(), versions()) == before
    assert bank.rows("SELECT 1 FROM learning.questions WHERE source_id = 'q-2'") == []


def test_what_is_gone_from_the_files_is_retired_and_nothing_else_is(item: Make) -> None:
    load(item("q-kept"), item("q-gone"))
    bank.execute(
        "INSERT INTO learning.questions (id, type, topic_id, stem, rationale, status)"
        " SELECT gen_random_uuid(), type, topic_id, 'By hand?', rationale, 'ACTIVE'"
        "   FROM learning.questions WHERE source_id = 'q-gone'"
    )
    assert retire_all_but("q-kept") == 1
    retired = bank.rows("SELECT source_id FROM learning.questions WHERE status = 'RETIRED'")
    assert [row.source_id for row in retired] == ["q-gone"]
    assert retire_all_but("q-kept") == 0


def test_what_comes_back_into_the_files_is_drawn_again(item: Make) -> None:
    load(item())
    before = question()
    retire_all_but()
    assert load(item()) == ImportReport(created=0, changed=0, unchanged=1, revived=1)
    after = question()
    assert (after.id, after.status, after.version) == (before.id, "ACTIVE", 1)
    assert after.metadata == before.metadata
    assert load(item()) == ImportReport(created=0, changed=0, unchanged=1)


def test_what_somebody_withdrew_by_hand_stays_withdrawn(item: Make) -> None:
    load(item())
    bank.execute("UPDATE learning.questions SET status = 'RETIRED' WHERE source_id = 'q-1'")
    report = load(item(stem="Better?"))
    assert report == ImportReport(created=0, changed=1, unchanged=0, left_retired=1)
    assert (question().status, versions()) == ("RETIRED", ["Which?", "Better?"])
    assert retire_all_but() == 0
    assert load(item()).left_retired == 1


@pytest.mark.usefixtures("wide_pool")
def test_two_imports_of_a_new_question_at_once_make_one_question(item: Make) -> None:
    reports = meeting_at(
        "LOCK TABLE learning.questions IN SHARE MODE",
        [lambda: load(item("q-1"), item("q-2")), lambda: load(item("q-2"), item("q-1"))],
    )
    assert reports == [ImportReport(2, 0, 0), ImportReport(0, 0, 2)]
