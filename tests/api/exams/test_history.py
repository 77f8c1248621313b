from __future__ import annotations

from typing import Any

from tests.support import bank, exams
from tests.support.sitting import fields

PATH = "/api/exams/sessions"


def test_my_sessions_come_newest_first_page_by_page(learner: Any, other_learner: Any) -> None:
    exams.start(other_learner)
    started = [exams.start(learner, slug) for slug in ("ot-diagnostic", "python-drill")]
    exams.finalize(learner, started[0])
    started.append(exams.start(learner))
    newest_first = [session["id"] for session in reversed(started)]
    first = learner.get(PATH, params={"limit": 2}).json()
    assert [session["id"] for session in first["items"]] == newest_first[:2]
    second = learner.get(PATH, params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [session["id"] for session in second["items"]] == newest_first[2:]
    assert second["next_cursor"] is None
    whole = learner.get(PATH).json()
    assert [session["id"] for session in whole["items"]] == newest_first
    assert whole["next_cursor"] is None


def test_a_session_begun_between_two_pages_shifts_nothing(learner: Any) -> None:
    older = [exams.start(learner, slug)["id"] for slug in ("ot-diagnostic", "python-drill")]
    first = learner.get(PATH, params={"limit": 1}).json()
    exams.start(learner, "python-checkpoint")
    second = learner.get(PATH, params={"limit": 1, "cursor": first["next_cursor"]}).json()
    assert [session["id"] for session in second["items"]] == [older[0]]


def test_a_full_last_page_promises_no_further_one(learner: Any) -> None:
    for slug in ("ot-diagnostic", "python-drill"):
        exams.start(learner, slug)
    assert learner.get(PATH, params={"limit": 2}).json()["next_cursor"] is None


def test_a_line_of_the_history_tells_how_it_went(learner: Any) -> None:
    session = exams.start(learner)
    exams.answer_all(learner, session, right=True)
    result = exams.finalize(learner, session)
    (line,) = learner.get(PATH).json()["items"]
    assert line == result
    assert (line["template"], line["title"]) == ("ot-diagnostic", "Diagnostic check")
    assert "items" not in line


def test_a_learner_without_sessions_has_an_empty_history(learner: Any) -> None:
    assert learner.get(PATH).json() == {"items": [], "next_cursor": None}


def test_a_page_has_a_size(learner: Any) -> None:
    for limit in ("0", "201", "many"):
        refused = learner.get(PATH, params={"limit": limit})
        assert refused.status_code == 422
        assert fields(refused) == ["limit"]


def test_a_cursor_of_somebody_elses_making_is_refused(learner: Any) -> None:
    refused = learner.get(PATH, params={"cursor": "next please"})
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_cursor")


def test_a_page_of_the_history_costs_one_statement_short_or_long(
    learner: Any, statements: Any
) -> None:
    for slug in ("ot-diagnostic", "python-drill", "ot-practice-exam"):
        exams.start(learner, slug)
    for limit in (1, 3):
        statements()
        assert len(learner.get(PATH, params={"limit": limit}).json()["items"]) == limit
        assert len(statements()) == 1 + 1


def test_a_session_is_read_in_one_statement_short_or_long(learner: Any, statements: Any) -> None:
    whole_bank = bank.offer_everything(course=bank.PYTHON)
    for session in (exams.start(learner), exams.start(learner, whole_bank)):
        statements()
        assert learner.get(f"{PATH}/{session['id']}").status_code == 200
        assert len(statements()) == 1 + 1
