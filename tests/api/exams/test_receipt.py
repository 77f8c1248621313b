"""The receipt as a learner downloads it: whole, signed, only theirs, and without the key."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from studypack.exams.receipt import verify
from studypack.exams.receipt_keys import read_public_keys
from tests.support import bank, exams
from tests.support.concurrency import meeting_at
from tests.support.sitting import parse

KEYS = "/api/exams/receipt-keys"


def path(session: dict[str, Any]) -> str:
    return f"/api/exams/sessions/{session['id']}/receipt"


def download(person: Any, session: dict[str, Any]) -> dict[str, Any]:
    answer = person.get(path(session))
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def entries(receipt: dict[str, Any], event: str | None = None) -> list[dict[str, Any]]:
    found = [logged["entry"] for logged in receipt["entries"]]
    return [entry for entry in found if event in (None, entry["event"])]


def published(api: Any) -> dict[str, bytes]:
    return read_public_keys(json.dumps(api.get(KEYS).json()))


def test_a_submitted_exams_receipt_holds_with_the_published_keys(api: Any, learner: Any) -> None:
    session = exams.start(learner)
    exams.answer_all(learner, session, right=True)
    exams.finalize(learner, session)
    answer = learner.get(path(session))
    assert answer.headers["Content-Disposition"] == (
        f'attachment; filename="exam-receipt-{session["id"]}.json"'
    )
    receipt = answer.json()
    assert verify(receipt, published(api)) == []
    assert [entry["event"] for entry in entries(receipt)] == [
        "STARTED",
        *["ANSWERED"] * 12,
        "SUBMITTED",
    ]
    assert [entry["sequence"] for entry in entries(receipt)] == list(range(1, 15))
    assert receipt["statement"]["entries"] == 14


def test_the_start_tells_form_clock_and_accommodation(sign_up: Any) -> None:
    learner = sign_up(time_factor="1.5")
    session = exams.start(learner)
    exams.finalize(learner, session)
    [start] = entries(download(learner, session), "STARTED")
    data = start["data"]
    form = bank.rows(
        "SELECT question_id, question_version FROM learning.exam_items"
        " WHERE session_id = :id ORDER BY position",
        id=session["id"],
    )
    assert data["form"] == [{"question": str(q), "version": version} for q, version in form]
    assert (data["learner"], data["exam"]) == (str(learner.id), "ot-diagnostic")
    assert (data["duration_minutes"], data["time_factor"]) == (15, "1.50")
    lasts = parse(data["deadline_at"]) - parse(data["started_at"])
    assert lasts == timedelta(minutes=22, seconds=30)
    assert parse(data["started_at"]) == parse(session["started_at"])


def test_every_saved_response_is_in_it_as_it_was_sent_and_replays_are_not(learner: Any) -> None:
    session = exams.start(learner)
    item = session["items"][0]
    answer = exams.any_answer(item)
    exams.save(learner, session, item, answer, flagged=True, time_spent_seconds=9)
    exams.save(learner, session, item, answer)  # a replay
    exams.save(learner, session, item, None, revision=4)
    exams.save(learner, session, item, answer, revision=3)  # comes late
    exams.finalize(learner, session)
    exams.save(learner, session, item, answer, revision=5)  # after submission
    saved = [entry["data"] for entry in entries(download(learner, session), "ANSWERED")]
    assert [(data["revision"], data["answer"]) for data in saved] == [(1, answer), (4, None)]
    assert [(data["flagged"], data["time_spent_seconds"]) for data in saved] == [
        (True, 9),
        (None, 0),
    ]


def test_an_answer_that_stays_is_written_once(api: Any, learner: Any) -> None:
    session = exams.start(learner)
    item = session["items"][0]
    answer = exams.any_answer(item)
    exams.save(learner, session, item, None, flagged=True)
    exams.save(learner, session, item, None, revision=2, time_spent_seconds=5)
    exams.save(learner, session, item, answer, revision=3)
    exams.save(learner, session, item, answer, revision=4, flagged=False)
    exams.save(learner, session, item, None, revision=5)
    exams.finalize(learner, session)
    receipt = download(learner, session)
    assert verify(receipt, published(api)) == []
    saved = [entry["data"] for entry in entries(receipt, "ANSWERED")]
    assert [data.get("answer", "as before") for data in saved] == [
        None,
        "as before",
        answer,
        "as before",
        None,
    ]


@pytest.mark.usefixtures("wide_pool")
def test_of_two_answers_at_once_the_log_tells_the_one_that_is_stored(learner: Any) -> None:
    session = exams.start(learner)
    item = next(i for i in session["items"] if i["question"]["type"] == "SINGLE_BEST")
    first, second, *_ = item["question"]["options"]
    one = {"type": "SINGLE_BEST", "option_id": first["id"]}
    other = {"type": "SINGLE_BEST", "option_id": second["id"]}
    exams.save(learner, session, item, one)
    # The later one waits, and has read the answer of revision 1: its own, but no longer the last.
    answers = meeting_at(
        "SELECT id FROM learning.exam_sessions WHERE id = :id FOR UPDATE",
        [
            lambda: exams.save(learner, session, item, other, revision=2),
            lambda: exams.save(learner, session, item, one, revision=3),
        ],
        id=session["id"],
    )
    stored = answers[1].json()
    assert (stored["revision"], stored["answer"]) == (3, one)
    exams.finalize(learner, session)
    told: dict[str, Any] = {}
    for entry in entries(download(learner, session), "ANSWERED"):
        told = entry["data"].get("answer", told)
    assert told == one


def test_answers_of_every_type_hold_in_a_receipt(api: Any, learner: Any) -> None:
    session = exams.start(learner, bank.offer_everything())
    kinds = {item["question"]["type"]: item for item in session["items"]}
    for item in kinds.values():
        exams.save(learner, session, item, exams.any_answer(item))
    spot = kinds["HOT_SPOT"]
    place = {"type": "HOT_SPOT", "x": 0.1, "y": 1.0000000000000002e-07}
    assert exams.save(learner, session, spot, place, revision=2).status_code == 200
    exams.finalize(learner, session)
    receipt = download(learner, session)
    assert verify(receipt, published(api)) == []
    assert entries(receipt, "ANSWERED")[-1]["data"]["answer"] == place
    assert len(entries(receipt, "ANSWERED")) == len(kinds) + 1


def test_pauses_are_in_it_with_the_deadline_that_they_moved(api: Any, learner: Any) -> None:
    session = exams.start(learner)
    change = f"/api/exams/sessions/{session['id']}"
    learner.patch(change, json={"action": "pause"})
    exams.move_clock(session["id"], 600)
    learner.patch(change, json={"action": "resume"})
    learner.patch(change, json={"metadata": {"device": "phone"}})
    exams.finalize(learner, session)
    receipt = download(learner, session)
    assert verify(receipt, published(api)) == []
    assert [e["event"] for e in entries(receipt)] == ["STARTED", "PAUSED", "RESUMED", "SUBMITTED"]
    _, paused, resumed, _ = (entry["data"] for entry in entries(receipt))
    budget = parse(paused["ends_at_latest"]) - parse(entries(receipt)[1]["at"])
    assert budget == timedelta(minutes=30)
    assert resumed["pause_used_seconds"] in range(600, 605)
    moved = parse(resumed["deadline_at"]) - parse(paused["deadline_at"])
    # move_clock shifts the stored deadline back by as much as it lets the pause last.
    assert moved.total_seconds() == pytest.approx(0, abs=5)


def test_a_pause_that_ran_out_of_budget_ends_in_the_log_before_the_submission(
    api: Any, learner: Any
) -> None:
    session = exams.start(learner)
    learner.patch(f"/api/exams/sessions/{session['id']}", json={"action": "pause"})
    exams.move_clock(session["id"], 32 * 60)
    exams.finalize(learner, session)
    receipt = download(learner, session)
    assert verify(receipt, published(api)) == []
    resumed, submitted = entries(receipt)[2:]
    assert (resumed["event"], submitted["event"]) == ("RESUMED", "SUBMITTED")
    ended = parse(resumed["at"]) - parse(resumed["data"]["resumed_at"])
    assert ended.total_seconds() == pytest.approx(120, abs=5)


def test_the_submission_tells_the_raw_score_and_who_submitted(api: Any, learner: Any) -> None:
    session = exams.start(learner)
    item = session["items"][0]
    exams.save(learner, session, item, exams.right_answer(exams.content_of(item["question_id"])))
    exams.move_clock(session["id"], 15 * 60)
    result = exams.finalize(learner, session)
    receipt = download(learner, session)
    assert verify(receipt, published(api)) == []
    [submitted] = entries(receipt, "SUBMITTED")
    assert submitted["data"] == {
        "by": "CLOCK",
        "submitted_at": submitted["data"]["submitted_at"],
        "items": 12,
        "answered": 1,
        "score_raw": result["score_raw"],
        "score_percent": result["score_percent"],
    }
    assert parse(submitted["data"]["submitted_at"]) == parse(result["submitted_at"])


def test_a_receipt_tells_nothing_of_key_or_rationale(learner: Any) -> None:
    session = exams.start(learner, bank.offer_everything())
    for item in session["items"]:
        exams.save(learner, session, item, exams.any_answer(item))
    exams.finalize(learner, session)
    receipt = download(learner, session)
    for entry in entries(receipt, "ANSWERED"):
        assert set(entry["data"]) == {
            "question",
            "revision",
            "answer",
            "flagged",
            "time_spent_seconds",
        }
    text = json.dumps(receipt, ensure_ascii=False)
    for word in ("rationale", "is_correct", "credit", "feedback", "points"):
        assert f'"{word}"' not in text
    for item in session["items"]:
        content = exams.content_of(item["question_id"])
        assert content.rationale not in text
        assert content.stem not in text


def test_there_is_no_receipt_before_submission_and_the_same_ever_after(learner: Any) -> None:
    session = exams.start(learner)
    early = learner.get(path(session))
    assert (early.status_code, early.json()["code"]) == (409, "exam_not_submitted")
    exams.finalize(learner, session)
    first = learner.get(path(session))
    exams.finalize(learner, session)
    assert learner.get(path(session)).content == first.content


def test_a_receipt_is_its_owners_also_after_access_ended(learner: Any, other_learner: Any) -> None:
    from studypack.core.business_settings import set_business_setting
    from studypack.core.database import transaction

    session = exams.start(learner)
    exams.finalize(learner, session)
    refused = other_learner.get(path(session))
    assert (refused.status_code, refused.json()["code"]) == (404, "exam_session_not_found")
    assert learner.api.get(path(session)).status_code == 401
    with transaction() as opened:
        set_business_setting(opened, "free_plan_features", [])
    assert learner.get("/api/exams/templates").status_code == 402
    assert learner.get(path(session)).status_code == 200


def test_a_session_from_before_there_were_receipts_has_none(learner: Any) -> None:
    session = exams.start(learner)
    bank.execute(
        "UPDATE learning.exam_sessions SET status = 'REVIEW', submitted_at = now() WHERE id = :id",
        id=session["id"],
    )
    answer = learner.get(path(session))
    assert (answer.status_code, answer.json()["code"]) == (404, "no_receipt")


def test_the_public_keys_are_anybodys_and_cost_no_statement(api: Any, statements: Any) -> None:
    answer = api.get(KEYS)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    [key] = answer.json()["keys"]
    assert (key["kty"], key["crv"], key["alg"]) == ("OKP", "Ed25519", "EdDSA")
    assert "d" not in key
    assert statements() == []


def test_a_receipt_costs_one_statement(learner: Any, statements: Any) -> None:
    session = exams.start(learner)
    exams.finalize(learner, session)
    statements()
    download(learner, session)
    assert len(statements()) == 1 + 1
