from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.exc import IntegrityError

from studypack.core.database import transaction
from studypack.exams.irt import Item, Scale, eap, scaled
from studypack.exams.models import ScoringMode
from studypack.exams.scaling import score_submitted
from tests.support import bank, exams

SCALE = Scale(300, 600, 450)


def score(size: int = 250, passed_over: set[UUID] | None = None) -> int:
    with transaction() as session:
        passed_over = set() if passed_over is None else passed_over
        return score_submitted(session, size=size, passed_over=passed_over)


SCALED = {
    "scoring_mode": ScoringMode.SCALED,
    "scale_minimum": 300,
    "scale_maximum": 600,
    "pass_score": 450,
}


def submitted(person: Any, right: int) -> dict[str, Any]:
    """A submitted practice exam with so many of its 40 items right and the next five guessed."""
    session = exams.start(person, "ot-practice-exam")
    for place, item in enumerate(session["items"][: right + 5]):
        answer = exams.any_answer(item)
        if place < right:
            answer = exams.right_answer(exams.content_of(item["question_id"]))
        assert exams.save(person, session, item, answer).status_code == 200
    assert exams.finalize(person, session)["status"] == "SUBMITTED"
    return session


def stored(session: dict[str, Any]) -> Any:
    return bank.row("SELECT * FROM learning.exam_sessions WHERE id = :id", id=session["id"])


@pytest.mark.parametrize("right", [4, 18, 30])
def test_the_score_is_that_of_the_pure_function_on_the_stored_parameters(
    learner: Any, right: int
) -> None:
    bank.execute(
        "UPDATE learning.questions SET discrimination = 0.6 + difficulty * 0.2,"
        " location = (difficulty - 3) * 0.7 WHERE difficulty IN (2, 4)"
    )
    session = submitted(learner, right)
    bank.execute("UPDATE learning.questions SET discrimination = 3, location = 3")
    assert score() == 1
    form = bank.rows(
        "SELECT i.discrimination, i.location, coalesce(r.credit, 0) AS credit"
        " FROM learning.exam_items i LEFT JOIN learning.exam_responses r"
        " ON r.session_id = i.session_id AND r.question_id = i.question_id"
    )
    assert len(form) == 40
    assert len({row.discrimination for row in form}) > 1
    ability = eap(
        [Item(float(row.discrimination), float(row.location)) for row in form],
        [float(row.credit) for row in form],
    )
    found = stored(session)
    assert float(found.theta) == pytest.approx(ability.theta, abs=1e-4)
    assert float(found.theta_error) == pytest.approx(ability.standard_error, abs=1e-4)
    assert found.score_scaled == scaled(ability.theta, SCALE)
    assert found.passed is (found.score_scaled >= 450)
    assert found.status == "REVIEW"


def test_the_pass_mark_is_the_score_and_not_the_percent(learner: Any) -> None:
    session = submitted(learner, 22)
    bank.execute(
        "UPDATE learning.exam_items SET location = location - 3 WHERE session_id = :id",
        id=session["id"],
    )
    score()
    found = stored(session)
    assert found.score_percent > 50
    assert found.score_scaled < 450
    assert found.passed is False


def test_a_scale_changed_after_the_start_does_not_touch_the_score(learner: Any) -> None:
    session = submitted(learner, 30)
    bank.execute(
        "UPDATE learning.exam_templates SET scale_minimum = 0, scale_maximum = 10, pass_score = 5"
        " WHERE slug = 'ot-practice-exam'"
    )
    score()
    assert 450 < stored(session).score_scaled <= 600


def test_an_empty_exam_has_a_low_score_and_still_one(learner: Any) -> None:
    session = exams.start(learner, "ot-practice-exam")
    exams.finalize(learner, session)
    assert score() == 1
    assert 300 <= stored(session).score_scaled < 400


def test_the_learner_is_told_of_the_score_once(learner: Any) -> None:
    session = submitted(learner, 20)
    assert learner.get("/api/notifications").json()["items"] == []
    score()
    score()

    [line] = learner.get("/api/notifications").json()["items"]
    points = stored(session).score_scaled
    assert line["type"] == "EXAM_SCORED"
    assert line["message"] == f"You have {points} points."
    assert line["link"] == f"/exams/{session['id']}"
    assert line["data"] == {"exam_session_id": session["id"], "score_scaled": points}


def test_scoring_again_finds_nothing_to_do(learner: Any) -> None:
    session = submitted(learner, 3)
    assert score() == 1
    first = stored(session)
    assert score() == 0
    assert stored(session) == first
    assert (
        bank.value("SELECT count(*) FROM activity.user_activities WHERE type = 'exam.scored'") == 1
    )


def test_raw_and_running_exams_are_none_of_its_business(learner: Any) -> None:
    exams.finalize(learner, exams.start(learner))
    exams.start(learner, "ot-practice-exam")
    assert score() == 0


def test_a_score_is_told_in_the_feed(learner: Any) -> None:
    session = submitted(learner, 1)
    score()
    line = bank.row(
        "SELECT user_id, description, metadata FROM activity.user_activities"
        " WHERE type = 'exam.scored'"
    )
    assert (line.user_id, line.description) == (learner.id, "Scored Practice exam")
    assert line.metadata == {
        "exam_session_id": session["id"],
        "score_scaled": stored(session).score_scaled,
    }


def test_a_batch_takes_so_many_and_the_longest_waiting_first(
    learner: Any, other_learner: Any
) -> None:
    first, second = submitted(learner, 0), submitted(other_learner, 0)
    assert score(size=1) == 1
    assert (stored(first).status, stored(second).status) == ("REVIEW", "SUBMITTED")


def test_a_batch_that_fails_scores_none(learner: Any) -> None:
    session = submitted(learner, 1)

    def killed() -> None:
        with transaction() as opened:
            assert score_submitted(opened, size=10, passed_over=set()) == 1
            raise RuntimeError("the job is killed")

    with pytest.raises(RuntimeError, match="the job is killed"):
        killed()
    assert stored(session).status == "SUBMITTED"
    assert score() == 1


def test_a_batch_costs_two_statements_for_one_and_for_three(
    learner: Any, other_learner: Any, sign_up: Any, statements: Any
) -> None:
    submitted(learner, 0)
    statements()
    assert score() == 1
    assert len(statements()) == 2
    exams.move_clock(str(bank.value("SELECT id FROM learning.exam_sessions")), 25 * 3600)
    for person in (learner, other_learner, sign_up()):
        submitted(person, 0)
    statements()
    assert score() == 3
    assert len(statements()) == 2


@pytest.mark.parametrize("missing", ["scale_minimum", "scale_maximum", "pass_score"])
def test_no_scaled_template_is_stored_without_its_whole_scale(
    database_url: str, missing: str
) -> None:
    with pytest.raises(IntegrityError, match="ck_exam_templates_scale"):
        bank.offer("half-a-scale", {"intervention": 1}, 3, **{**SCALED, missing: None})


def test_no_exam_starts_whose_score_could_never_be_told(learner: Any) -> None:
    # The constraint keeps such a template out; a session that froze one could never be scored.
    bank.execute("ALTER TABLE learning.exam_templates DROP CONSTRAINT ck_exam_templates_scale")
    slug = bank.offer("no-scale", {"intervention": 1}, 3, scoring_mode=ScoringMode.SCALED)
    refused = learner.post("/api/exams/sessions", json={"template": slug})
    assert (refused.status_code, refused.json()["code"]) == (422, "template_without_scale")
    assert bank.value("SELECT count(*) FROM learning.exam_sessions") == 0


UNSCORABLE = {
    "no scale": "UPDATE learning.exam_sessions SET scoring = '{}' WHERE id = :id",
    "half a scale": "UPDATE learning.exam_sessions SET scoring = '{\"pass_score\": 450}'"
    " WHERE id = :id",
    "an unreadable scale": "UPDATE learning.exam_sessions SET scoring = '[]' WHERE id = :id",
    "an item without discrimination": "UPDATE learning.exam_items SET discrimination = 0"
    " WHERE session_id = :id AND position = 7",
    "no items": "DELETE FROM learning.exam_items WHERE session_id = :id",
}


@pytest.mark.parametrize("damage", UNSCORABLE.values(), ids=UNSCORABLE)
def test_a_session_that_cannot_be_scored_is_left_and_its_batch_is_scored(
    learner: Any, other_learner: Any, log: Callable[[], str], damage: str
) -> None:
    broken, sound = submitted(learner, 0), submitted(other_learner, 0)
    bank.execute(damage, id=broken["id"])
    passed_over: set[UUID] = set()
    assert score(passed_over=passed_over) == 1
    assert passed_over == {UUID(broken["id"])}
    assert (stored(broken).status, stored(broken).score_scaled) == ("SUBMITTED", None)
    assert stored(sound).status == "REVIEW"
    [line] = [line for line in log().splitlines() if "exam session cannot be scored" in line]
    assert broken["id"] in line


def test_a_session_that_was_passed_over_is_not_claimed_again(
    learner: Any, other_learner: Any
) -> None:
    first, second = submitted(learner, 0), submitted(other_learner, 0)
    assert score(size=1, passed_over={UUID(first["id"])}) == 1
    assert (stored(first).status, stored(second).status) == ("SUBMITTED", "REVIEW")
