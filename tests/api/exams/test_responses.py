from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.support import bank, exams
from tests.support.concurrency import meeting_at
from tests.support.devices import another_device
from tests.support.sitting import as_stored, between, fields, of_type, parse

TYPES = ("SINGLE_BEST", "MULTI_SELECT", "ORDERING", "HOT_SPOT", "CLINICAL_SIM")


@pytest.fixture
def sitting(learner: Any) -> dict[str, Any]:
    """A short exam under way."""
    return exams.start(learner)


@pytest.fixture
def full_sitting(learner: Any) -> dict[str, Any]:
    """An exam under way that asks the whole bank, so every type."""
    return exams.start(learner, bank.offer_everything())


def stored(person: Any, session: dict[str, Any], item: dict[str, Any]) -> dict[str, Any] | None:
    """The response to an item as another device of this person reads it."""
    document = another_device(person).get(f"/api/exams/sessions/{session['id']}").json()
    (found,) = [i for i in document["items"] if i["question_id"] == item["question_id"]]
    response: dict[str, Any] | None = found["response"]
    return response


def two_answers(session: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """An item and two different answers to it."""
    item = of_type(session, "SINGLE_BEST")
    one, other, *_ = item["question"]["options"]
    return (
        item,
        {"type": "SINGLE_BEST", "option_id": one["id"]},
        {"type": "SINGLE_BEST", "option_id": other["id"]},
    )


def test_answers_of_every_type_are_read_back_on_another_device(
    learner: Any, full_sitting: dict[str, Any]
) -> None:
    given = {}
    for kind in TYPES:
        item = of_type(full_sitting, kind)
        given[item["question_id"]] = answer = exams.any_answer(item)
        saved = exams.save(learner, full_sitting, item, answer, time_spent_seconds=7, flagged=True)
        assert saved.status_code == 200, saved.text
        assert saved.json()["answer"] == as_stored(answer)
    there = another_device(learner).get(f"/api/exams/sessions/{full_sitting['id']}").json()
    read = {i["question_id"]: i["response"] for i in there["items"] if i["response"]}
    assert read == {
        question: {
            "question_id": question,
            "revision": 1,
            "answer": as_stored(answer),
            "flagged": True,
            "time_spent_seconds": 7,
        }
        for question, answer in given.items()
    }


def test_a_newer_revision_replaces_the_answer_and_an_empty_one_clears_it(
    learner: Any, sitting: dict[str, Any]
) -> None:
    item, one, other = two_answers(sitting)
    exams.save(learner, sitting, item, one)
    assert exams.save(learner, sitting, item, other, revision=2).json()["answer"] == other
    assert exams.save(learner, sitting, item, None, revision=5).json()["answer"] is None
    response = stored(learner, sitting, item)
    assert response is not None
    assert (response["revision"], response["answer"]) == (5, None)


@pytest.mark.parametrize("kind", ["MULTI_SELECT", "CLINICAL_SIM"])
def test_a_selection_of_nothing_clears_the_answer(
    learner: Any, full_sitting: dict[str, Any], kind: str
) -> None:
    item = of_type(full_sitting, kind)
    nothing = {"type": kind, "option_ids": []}
    exams.save(learner, full_sitting, item, exams.any_answer(item))
    cleared = exams.save(learner, full_sitting, item, nothing, revision=2)
    assert cleared.json()["answer"] is None
    for same in (nothing, None):
        assert exams.save(learner, full_sitting, item, same, revision=2).json()["replayed"]
    exams.finalize(learner, full_sitting)
    review = learner.get(f"/api/exams/sessions/{full_sitting['id']}/review").json()
    assert review["items_answered"] == 0


def test_a_selection_of_nothing_of_another_type_is_refused(
    learner: Any, sitting: dict[str, Any]
) -> None:
    item = of_type(sitting, "SINGLE_BEST")
    refused = exams.save(learner, sitting, item, {"type": "MULTI_SELECT", "option_ids": []})
    assert (refused.status_code, fields(refused)) == (422, ["answer.type"])


OUTSIDE = str(uuid4())


WRONG_SHAPES: list[tuple[str, dict[str, Any], str]] = [
    ("SINGLE_BEST", {"option_id": OUTSIDE}, "answer.option_id"),
    ("SINGLE_BEST", {"option_id": "first"}, "answer.option_id"),
    ("SINGLE_BEST", {"option_id": None}, "answer.option_id"),
    ("SINGLE_BEST", {"why": "because"}, "answer.why"),
    ("SINGLE_BEST", {"type": "ESSAY"}, "answer"),
    ("MULTI_SELECT", {"option_ids": [OUTSIDE]}, "answer.option_ids"),
    ("MULTI_SELECT", {"option_ids": [OUTSIDE, 7]}, "answer.option_ids.1"),
    ("MULTI_SELECT", {"option_ids": OUTSIDE}, "answer.option_ids"),
    ("ORDERING", {"option_ids": []}, "answer.option_ids"),
    ("HOT_SPOT", {"x": -1}, "answer.x"),
    ("HOT_SPOT", {"y": 1e9}, "answer.y"),
    ("HOT_SPOT", {"y": "low"}, "answer.y"),
    ("CLINICAL_SIM", {"option_ids": [OUTSIDE]}, "answer.option_ids"),
]


def test_an_answer_of_the_wrong_shape_is_refused_by_field(
    learner: Any, full_sitting: dict[str, Any]
) -> None:
    for kind, change, field in WRONG_SHAPES:
        item = of_type(full_sitting, kind)
        refused = exams.save(learner, full_sitting, item, {**exams.any_answer(item), **change})
        assert refused.status_code == 422, (kind, change)
        assert fields(refused) == [field], (kind, change)
    assert bank.value("SELECT count(*) FROM learning.exam_responses") == 0


def test_an_answer_that_lacks_its_part_names_the_part(
    learner: Any, sitting: dict[str, Any]
) -> None:
    item = of_type(sitting, "SINGLE_BEST")
    refused = exams.save(learner, sitting, item, {"type": "SINGLE_BEST"})
    assert refused.status_code == 422
    assert fields(refused) == ["answer.option_id"]


def test_an_answer_to_another_type_of_question_is_refused(
    learner: Any, sitting: dict[str, Any]
) -> None:
    item = of_type(sitting, "SINGLE_BEST")
    refused = exams.save(learner, sitting, item, {"type": "HOT_SPOT", "x": 1, "y": 1})
    assert refused.status_code == 422
    assert fields(refused) == ["answer.type"]


def test_more_options_than_asked_for_are_refused(
    learner: Any, full_sitting: dict[str, Any]
) -> None:
    item = next(i for i in full_sitting["items"] if i["question"]["select"])
    ids = [option["id"] for option in item["question"]["options"]]
    refused = exams.save(learner, full_sitting, item, {"type": "MULTI_SELECT", "option_ids": ids})
    assert refused.status_code == 422
    assert fields(refused) == ["answer.option_ids"]


WRONG_RESPONSES: list[tuple[dict[str, Any], str]] = [
    ({"revision": 0}, "revision"),
    ({"revision": 2**31}, "revision"),
    ({"revision": 1.5}, "revision"),
    ({"time_spent_seconds": -1}, "time_spent_seconds"),
    ({"time_spent_seconds": 10**9}, "time_spent_seconds"),
    ({"question_id": "first"}, "question_id"),
    ({"flagged": "perhaps"}, "flagged"),
    ({"answered_at": "2020-01-01T00:00:00Z"}, "answered_at"),
]


def test_a_response_of_the_wrong_shape_is_refused_by_field(
    learner: Any, sitting: dict[str, Any]
) -> None:
    question = sitting["items"][0]["question_id"]
    for change, field in WRONG_RESPONSES:
        body = {"question_id": question, "revision": 1, "answer": None, **change}
        refused = learner.post(f"/api/exams/sessions/{sitting['id']}/responses", json=body)
        assert refused.status_code == 422, change
        assert fields(refused) == [field], change
    assert bank.value("SELECT count(*) FROM learning.exam_responses") == 0


def test_a_question_that_is_not_on_the_form_is_refused(
    learner: Any, sitting: dict[str, Any]
) -> None:
    on_form = {item["question_id"] for item in sitting["items"]}
    elsewhere = next(q for shelf in bank.shelf().values() for q in shelf if str(q) not in on_form)
    for question in (str(elsewhere), str(uuid4())):
        refused = exams.save(learner, sitting, {"question_id": question}, None)
        assert refused.status_code == 422
        (error,) = refused.json()["errors"]
        assert (error["field"], error["code"]) == ("question_id", "question_not_in_exam")


def test_the_same_revision_again_is_a_replay_that_changes_nothing(
    learner: Any, sitting: dict[str, Any]
) -> None:
    item, answer, _ = two_answers(sitting)
    first = exams.save(learner, sitting, item, answer, time_spent_seconds=5).json()
    again = exams.save(learner, sitting, item, answer, time_spent_seconds=5)
    assert again.status_code == 200
    assert (first["replayed"], again.json()["replayed"]) == (False, True)
    assert again.json()["saved_at"] == first["saved_at"]
    assert bank.value("SELECT count(*) FROM learning.exam_responses") == 1


def test_a_revision_that_comes_late_is_refused_with_the_newer_answer(
    learner: Any, sitting: dict[str, Any]
) -> None:
    item, old, new = two_answers(sitting)
    exams.save(learner, sitting, item, new, revision=3, flagged=True, time_spent_seconds=9)
    late = exams.save(learner, sitting, item, old, revision=2)
    assert late.status_code == 409
    assert late.json()["code"] == "stale_revision"
    assert late.json()["response"] == {
        "revision": 3,
        "answer": new,
        "flagged": True,
        "time_spent_seconds": 9,
    }
    response = stored(learner, sitting, item)
    assert response is not None
    assert response["answer"] == new


def test_the_same_revision_with_another_answer_is_refused(
    learner: Any, sitting: dict[str, Any]
) -> None:
    item, mine, other = two_answers(sitting)
    exams.save(learner, sitting, item, mine)
    refused = exams.save(another_device(learner), sitting, item, other)
    assert refused.status_code == 409
    assert refused.json()["code"] == "stale_revision"
    assert refused.json()["response"]["answer"] == mine


NO_INSERTS = "LOCK TABLE learning.exam_responses IN SHARE MODE"
"""The first has read that nothing is stored and cannot store; the second waits for the session,
and has then read before the first stored.
"""

STORED_MEANWHILE = """
    INSERT INTO learning.exam_responses (id, session_id, question_id, answer, revision, flagged,
                                         time_spent_seconds)
    VALUES (gen_random_uuid(), :session, :question, CAST(:answer AS jsonb), 1, true, 30)
"""
"""Another request, not committed: who reads sees nothing, who stores waits."""


@pytest.mark.usefixtures("wide_pool")
def test_of_two_devices_with_one_revision_at_once_one_wins_and_the_other_learns_of_it(
    learner: Any, sitting: dict[str, Any]
) -> None:
    item, mine, other = two_answers(sitting)
    phone = another_device(learner)
    answers = meeting_at(
        NO_INSERTS,
        [
            lambda: exams.save(learner, sitting, item, mine),
            lambda: exams.save(phone, sitting, item, other),
        ],
    )
    won, lost = sorted(answers, key=lambda answer: answer.status_code)
    assert (won.status_code, lost.status_code) == (200, 409)
    assert lost.json()["response"]["answer"] == won.json()["answer"]
    response = stored(learner, sitting, item)
    assert response is not None
    assert response["answer"] == won.json()["answer"]


@pytest.mark.usefixtures("wide_pool")
def test_the_same_response_sent_twice_at_once_is_saved_once_and_replayed_once(
    learner: Any, sitting: dict[str, Any]
) -> None:
    item, answer, _ = two_answers(sitting)
    answers = meeting_at(NO_INSERTS, [lambda: exams.save(learner, sitting, item, answer)] * 2)
    assert [one.status_code for one in answers] == [200, 200]
    assert sorted(one.json()["replayed"] for one in answers) == [False, True]


@pytest.mark.usefixtures("wide_pool")
def test_a_newer_revision_keeps_the_flag_and_time_of_one_that_came_at_the_same_time(
    learner: Any, sitting: dict[str, Any]
) -> None:
    item, old, new = two_answers(sitting)
    (saved,) = meeting_at(
        STORED_MEANWHILE,
        [lambda: exams.save(learner, sitting, item, new, revision=2, time_spent_seconds=20)],
        session=sitting["id"],
        question=item["question_id"],
        answer=json.dumps(old),
    )
    assert saved.status_code == 200
    response = stored(learner, sitting, item)
    assert response is not None
    assert (response["revision"], response["answer"]) == (2, new)
    assert response["flagged"] is True
    assert response["time_spent_seconds"] == 30


def test_a_flag_stays_until_it_is_changed(learner: Any, sitting: dict[str, Any]) -> None:
    item, one, other = two_answers(sitting)
    assert exams.save(learner, sitting, item, one).json()["flagged"] is False
    assert exams.save(learner, sitting, item, one, revision=2, flagged=True).json()["flagged"]
    assert exams.save(learner, sitting, item, other, revision=3).json()["flagged"] is True
    last = exams.save(learner, sitting, item, other, revision=4, flagged=False)
    assert last.json()["flagged"] is False


def test_an_item_can_be_flagged_without_an_answer(learner: Any, sitting: dict[str, Any]) -> None:
    item = sitting["items"][0]
    saved = exams.save(learner, sitting, item, None, flagged=True)
    assert (saved.json()["flagged"], saved.json()["answer"]) == (True, None)
    exams.finalize(learner, sitting)
    review = learner.get(f"/api/exams/sessions/{sitting['id']}/review").json()
    assert (review["items_flagged"], review["items_answered"]) == (1, 0)


def test_the_time_spent_never_decreases(learner: Any, sitting: dict[str, Any]) -> None:
    item, one, other = two_answers(sitting)
    exams.save(learner, sitting, item, one, time_spent_seconds=40)
    less = exams.save(learner, sitting, item, other, revision=2, time_spent_seconds=3)
    assert less.json()["time_spent_seconds"] == 40
    more = exams.save(learner, sitting, item, one, revision=3, time_spent_seconds=41)
    assert more.json()["time_spent_seconds"] == 41


def test_a_saved_response_tells_the_servers_clock(learner: Any, sitting: dict[str, Any]) -> None:
    item, answer, _ = two_answers(sitting)
    exams.move_clock(sitting["id"], 600)
    clock = exams.save(learner, sitting, item, answer).json()["clock"]
    assert clock["remaining_seconds"] in range(290, 301)
    assert between(clock["server_now"], clock["deadline_at"]) < timedelta(minutes=5)


def test_a_response_after_the_deadline_is_refused_with_the_deadline(
    learner: Any, sitting: dict[str, Any]
) -> None:
    item, answer, other = two_answers(sitting)
    exams.save(learner, sitting, item, answer)
    exams.move_clock(sitting["id"], 15 * 60)
    refused = exams.save(learner, sitting, item, other, revision=2)
    assert refused.status_code == 409
    assert refused.json()["code"] == "deadline_passed"
    deadline = parse(sitting["clock"]["deadline_at"]) - timedelta(minutes=15)
    assert parse(refused.json()["deadline_at"]) == deadline
    assert parse(refused.json()["server_now"]) >= deadline
    response = stored(learner, sitting, item)
    assert response is not None
    assert response["answer"] == answer


@pytest.mark.parametrize("claimed", ["Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00"])
def test_what_the_client_takes_for_the_time_is_irrelevant(
    learner: Any, sitting: dict[str, Any], claimed: str
) -> None:
    item, answer, _ = two_answers(sitting)
    headers = {"Date": claimed, "X-Client-Time": claimed}
    path = f"/api/exams/sessions/{sitting['id']}/responses"
    body = {"question_id": item["question_id"], "revision": 1, "answer": answer}
    assert learner.post(path, json=body, headers=headers).status_code == 200
    exams.move_clock(sitting["id"], 15 * 60)
    late = learner.post(path, json={**body, "revision": 2}, headers=headers)
    assert late.json()["code"] == "deadline_passed"


@pytest.mark.usefixtures("wide_pool")
def test_the_deadline_is_checked_after_a_wait_for_the_session(
    learner: Any, sitting: dict[str, Any]
) -> None:
    item, answer, _ = two_answers(sitting)
    (late,) = meeting_at(
        "SELECT id FROM learning.exam_sessions WHERE id = :id FOR UPDATE",
        [lambda: exams.save(learner, sitting, item, answer)],
        then="UPDATE learning.exam_sessions SET deadline_at = clock_timestamp() WHERE id = :id",
        id=sitting["id"],
    )
    assert late.status_code == 409
    assert late.json()["code"] == "deadline_passed"


def test_a_paused_exam_takes_no_answers(learner: Any, sitting: dict[str, Any]) -> None:
    item, answer, _ = two_answers(sitting)
    learner.patch(f"/api/exams/sessions/{sitting['id']}", json={"action": "pause"})
    refused = exams.save(learner, sitting, item, answer)
    assert (refused.status_code, refused.json()["code"]) == (409, "exam_paused")
    learner.patch(f"/api/exams/sessions/{sitting['id']}", json={"action": "resume"})
    assert exams.save(learner, sitting, item, answer).status_code == 200


def test_a_submitted_exam_takes_no_answers(learner: Any, sitting: dict[str, Any]) -> None:
    item, answer, other = two_answers(sitting)
    exams.save(learner, sitting, item, answer)
    exams.finalize(learner, sitting)
    for revision in (1, 2):
        refused = exams.save(learner, sitting, item, other, revision=revision)
        assert (refused.status_code, refused.json()["code"]) == (409, "exam_finished")
        assert refused.json()["status_of_session"] == "REVIEW"


def test_an_answer_after_the_clock_submitted_is_told_so_with_the_deadline(
    learner: Any, sitting: dict[str, Any]
) -> None:
    item, answer, _ = two_answers(sitting)
    exams.move_clock(sitting["id"], 15 * 60)
    exams.finalize(learner, sitting)
    path = f"/api/exams/sessions/{sitting['id']}"
    for refused in (
        exams.save(learner, sitting, item, answer),
        learner.patch(path, json={"action": "pause"}),
    ):
        assert (refused.status_code, refused.json()["code"]) == (409, "exam_finished")
        assert refused.json()["submitted_by"] == "CLOCK"
        deadline = parse(sitting["clock"]["deadline_at"]) - timedelta(minutes=15)
        assert parse(refused.json()["deadline_at"]) == deadline


def test_an_answer_after_ones_own_submission_is_told_no_deadline(
    learner: Any, sitting: dict[str, Any]
) -> None:
    exams.finalize(learner, sitting)
    refused = exams.save(learner, sitting, sitting["items"][0], None)
    assert not {"deadline_at", "submitted_by"} & set(refused.json())


LOG_LENGTH = "UPDATE learning.exam_sessions SET log_sequence = :length WHERE id = :id"


def test_a_session_takes_so_many_changes_and_can_then_be_submitted(
    learner: Any, sitting: dict[str, Any]
) -> None:
    item, one, other = two_answers(sitting)
    limit = 50 * len(sitting["items"])
    bank.execute(LOG_LENGTH, length=limit - 1, id=sitting["id"])
    assert exams.save(learner, sitting, item, one).status_code == 200
    refused = exams.save(learner, sitting, item, other, revision=2)
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_changes")
    assert refused.json()["limit"] == limit
    assert exams.save(learner, sitting, item, one).json()["replayed"] is True
    response = stored(learner, sitting, item)
    assert response is not None
    assert (response["revision"], response["answer"]) == (1, one)
    assert exams.finalize(learner, sitting)["status"] == "REVIEW"


@pytest.mark.usefixtures("wide_pool")
def test_an_answer_that_meets_the_submission_counts_if_and_only_if_it_was_saved(
    learner: Any, sitting: dict[str, Any]
) -> None:
    item = of_type(sitting, "SINGLE_BEST")
    answer = exams.right_answer(exams.content_of(item["question_id"]))
    submitted, saved = meeting_at(
        "SELECT id FROM learning.exam_sessions WHERE id = :id FOR UPDATE",
        [
            lambda: learner.post(f"/api/exams/sessions/{sitting['id']}/finalize"),
            lambda: exams.save(learner, sitting, item, answer),
        ],
        id=sitting["id"],
    )
    assert submitted.status_code == 200
    review = learner.get(f"/api/exams/sessions/{sitting['id']}/review").json()
    assert saved.status_code in {200, 409}
    assert review["items_answered"] == (1 if saved.status_code == 200 else 0)
    assert float(submitted.json()["score_raw"]) == review["items_answered"]


def test_another_learners_session_does_not_exist(
    other_learner: Any, learner: Any, sitting: dict[str, Any]
) -> None:
    item, answer, _ = two_answers(sitting)
    path = f"/api/exams/sessions/{sitting['id']}"
    answers = [
        exams.save(other_learner, sitting, item, answer),
        other_learner.get(path),
        other_learner.patch(path, json={"action": "pause"}),
        other_learner.post(f"{path}/finalize"),
        other_learner.get(f"{path}/review"),
        learner.get(f"/api/exams/sessions/{uuid4()}"),
    ]
    assert {(a.status_code, a.json()["code"]) for a in answers} == {(404, "exam_session_not_found")}
    assert stored(learner, sitting, item) is None
    now = learner.get(path).json()
    assert (now["status"], now["clock"]["paused"]) == ("IN_PROGRESS", False)


def test_saving_costs_two_statements_first_again_and_replayed(
    learner: Any, sitting: dict[str, Any], statements: Any
) -> None:
    item, one, other = two_answers(sitting)
    statements()
    exams.save(learner, sitting, item, one)
    assert len(statements()) == 1 + 2
    exams.save(learner, sitting, item, other, revision=2)
    assert len(statements()) == 1 + 2
    exams.save(learner, sitting, item, other, revision=2)
    assert len(statements()) == 1 + 1
    exams.save(learner, sitting, item, one, revision=1)
    assert len(statements()) == 1 + 1
