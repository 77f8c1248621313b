from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from studypack.core.database import transaction
from studypack.core.ids import uuid7
from studypack.exams import assembly
from studypack.exams.forms import sequence
from studypack.exams.irt import Item
from studypack.exams.templates import find_template
from studypack.questions.forms import draw_key
from tests.support import bank, exams


def drawn_again(person: Any, session_id: str, slug: str) -> list[UUID]:
    """The form of a session as it comes out when it is drawn anew from the same history."""
    with transaction() as session:
        view = find_template(session, person.id, slug)
        session.connection().exec_driver_sql(
            f"DELETE FROM learning.exam_sessions WHERE id = '{session_id}'"
        )
        drawn = assembly.draw(session, person.id, UUID(session_id), view)
        session.rollback()
    form = sequence(
        drawn,
        UUID(session_id),
        view.blueprint.sequence,
        topic_order=[topic.topic_id for topic in view.blueprint.topics],
    )
    return [question.question_id for question in form]


def test_a_form_can_be_drawn_again_from_its_sessions_id(learner: Any) -> None:
    for slug in ("ot-practice-exam", "python-drill", "python-drill"):
        document = exams.start(learner, slug)
        frozen = [UUID(item["question_id"]) for item in document["items"]]
        assert drawn_again(learner, document["id"], slug) == frozen
        exams.finalize(learner, document)


def test_postgresql_draws_by_the_same_key_as_python(learner: Any) -> None:
    document = exams.start(learner)
    drawn: dict[str, set[UUID]] = {}
    for item in document["items"]:
        drawn.setdefault(item["topic"], set()).add(UUID(item["question_id"]))
    for topic, shelf in bank.shelf().items():
        by_key = sorted(shelf, key=lambda question: draw_key(UUID(document["id"]), question))
        assert drawn[topic] == set(by_key[: len(drawn[topic])])


def test_drawing_writes_nothing(learner: Any) -> None:
    with transaction() as session:
        view = find_template(session, learner.id, "ot-diagnostic")
        session_id = uuid7(datetime(2026, 1, 5, tzinfo=UTC))
        first = assembly.draw(session, learner.id, session_id, view)
        assert assembly.draw(session, learner.id, session_id, view) == first
    assert bank.value("SELECT count(*) FROM learning.exam_items") == 0


def test_a_topic_too_light_for_an_item_gets_none_and_asks_for_none(learner: Any) -> None:
    bank.new_part_of("intervention", "empty", [])
    slug = bank.offer("light", {"intervention": 1000, "empty": 1}, 3)
    document = exams.start(learner, slug)
    assert {item["topic"] for item in document["items"]} == {"intervention"}


def test_topics_count_however_deep_they_lie(learner: Any) -> None:
    shelf = bank.shelf()["analysis-planning"]
    bank.new_part_of("analysis-planning", "goals", shelf[:6])
    bank.new_part_of("goals", "short-term", shelf[:3])
    document = exams.start(learner, bank.offer("whole", {"analysis-planning": 1}, len(shelf)))
    assert {UUID(item["question_id"]) for item in document["items"]} == set(shelf)


def test_the_form_freezes_the_parameters_of_its_items(learner: Any) -> None:
    one, other, *_ = bank.shelf()["practice-management"]
    bank.execute(
        "UPDATE learning.questions SET discrimination = 1.7, location = -0.25 WHERE id = :id",
        id=one,
    )
    bank.execute("UPDATE learning.questions SET difficulty = 5 WHERE id = :id", id=other)
    slug = bank.offer_everything()
    document = exams.start(learner, slug)
    bank.execute("UPDATE learning.questions SET discrimination = 9, location = 9, difficulty = 1")
    frozen = {
        row.question_id: Item(float(row.discrimination), float(row.location))
        for row in bank.rows(
            "SELECT question_id, discrimination, location FROM learning.exam_items"
            " WHERE session_id = :id",
            id=document["id"],
        )
    }
    assert frozen[one] == Item(1.7, -0.25)
    assert frozen[other] == Item(1.0, 2.0)


def test_the_session_keeps_what_the_template_said(learner: Any) -> None:
    exams.start(learner, "ot-practice-exam")
    stored = bank.row(
        "SELECT s.blueprint = t.blueprint AS same, s.scoring, s.scoring_mode,"
        " s.pause_budget_seconds, s.time_factor FROM learning.exam_sessions s"
        " JOIN learning.exam_templates t ON t.id = s.template_id"
    )
    assert stored.same
    assert stored.scoring == {
        "pass_percent": None,
        "scale_minimum": 300,
        "scale_maximum": 600,
        "pass_score": 450,
        "pass_theta": 0.0,
    }
    assert (stored.scoring_mode, stored.pause_budget_seconds) == ("scaled", 3600)
    assert stored.time_factor == Decimal(1)
