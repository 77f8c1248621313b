from __future__ import annotations

from typing import Any

from tests.support import bank, exams
from tests.support.sitting import shift_start


def offered(person: Any) -> list[dict[str, Any]]:
    """The templates, which come on one page."""
    page = person.get("/api/exams/templates").json()
    assert page["next_cursor"] is None
    items: list[dict[str, Any]] = page["items"]
    return items


def of_slug(person: Any, slug: str) -> dict[str, Any]:
    (found,) = [template for template in offered(person) if template["slug"] == slug]
    return found


def test_a_template_tells_what_awaits_the_learner(learner: Any) -> None:
    template = of_slug(learner, "ot-diagnostic")
    assert (template["items"], template["duration_minutes"]) == (12, 15)
    assert {topic["slug"]: topic["items"] for topic in template["topics"]} == {
        "evaluation-assessment": 3,
        "analysis-planning": 3,
        "intervention": 4,
        "practice-management": 2,
    }
    assert template["scoring"]["pass_percent"] == "60.00"
    assert "not" in template["disclaimer"]


def test_the_templates_come_by_title(learner: Any) -> None:
    titles = [template["title"] for template in offered(learner)]
    assert titles == sorted(titles)
    assert len(titles) == 5


def test_a_learner_who_has_taken_none_may_start_each(learner: Any) -> None:
    for template in offered(learner):
        assert template["attempts"] == 0
        assert template["available_from"] is None
        assert template["running_session_id"] is None


def test_a_running_session_is_named_and_counts_as_an_attempt(learner: Any) -> None:
    session = exams.start(learner)
    template = of_slug(learner, "ot-diagnostic")
    assert template["running_session_id"] == session["id"]
    assert template["attempts"] == 1


def test_a_finished_session_is_history_and_no_longer_runs(learner: Any) -> None:
    bank.execute("UPDATE learning.exam_templates SET max_attempts = 3 WHERE slug = 'ot-diagnostic'")
    for _ in range(2):
        exams.finalize(learner, exams.start(learner))
    template = of_slug(learner, "ot-diagnostic")
    assert (template["attempts"], template["attempts_left"]) == (2, 1)
    assert template["running_session_id"] is None


def test_a_template_says_from_when_it_may_be_taken_again(learner: Any) -> None:
    session = exams.start(learner, "python-checkpoint")
    exams.finalize(learner, session)
    available_from = of_slug(learner, "python-checkpoint")["available_from"]
    assert available_from == shift_start(session, hours=1)
    exams.move_clock(session["id"], 3600)
    assert of_slug(learner, "python-checkpoint")["available_from"] is None


def test_one_learners_history_is_not_anothers(learner: Any, other_learner: Any) -> None:
    exams.start(learner)
    template = of_slug(other_learner, "ot-diagnostic")
    assert (template["attempts"], template["running_session_id"]) == (0, None)


def test_what_is_withdrawn_is_not_offered(learner: Any) -> None:
    bank.execute("UPDATE learning.exam_templates SET is_active = false WHERE slug = 'python-drill'")
    bank.execute("UPDATE learning.courses SET is_active = false WHERE slug = :slug", slug=bank.OT)
    assert [template["slug"] for template in offered(learner)] == ["python-checkpoint"]


def test_a_visitor_sees_no_templates(api: Any) -> None:
    assert api.get("/api/exams/templates").status_code == 401


def test_the_templates_cost_one_statement_few_or_many_with_or_without_history(
    learner: Any, statements: Any
) -> None:
    statements()
    learner.get("/api/exams/templates")
    assert len(statements()) == 1 + 1
    for number in range(20):
        bank.offer(f"extra-{number}", {"intervention": 1}, 1)
    for slug in ("extra-1", "extra-2", "ot-diagnostic"):
        exams.start(learner, slug)
    statements()
    assert len(offered(learner)) == 25
    assert len(statements()) == 1 + 1
