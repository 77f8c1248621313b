from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.support import bank, canaries, exams
from tests.support.canaries import found_in


class Ear:
    """Sends requests as a learner and listens for secrets in whatever comes back."""

    def __init__(self, person: Any) -> None:
        self.person = person
        self.statuses: set[int] = set()
        self.told: list[tuple[str, str, int, list[str]]] = []

    def request(self, method: str, path: str, **options: Any) -> Any:
        answer = self.person.request(method, f"/api/exams/{path}", **options)
        self.statuses.add(answer.status_code)
        secrets = found_in(answer.text)
        headers = str(answer.headers)
        if secrets or canaries.CANARY in headers:
            self.told.append((method, path, answer.status_code, secrets))
        return answer


def walk_through(ear: Ear, session: dict[str, Any]) -> None:
    """Every route, as learners use and misuse it, while the exam runs."""
    path = f"sessions/{session['id']}"
    save = f"{path}/responses"
    ear.request("GET", "templates")
    ear.request("GET", "sessions")
    one_of_each = {item["question"]["type"]: item for item in session["items"]}
    for item in one_of_each.values():
        question = {"question_id": item["question_id"]}
        answer = exams.any_answer(item)
        ear.request("POST", save, json={**question, "revision": 3, "answer": answer})
        ear.request("POST", save, json={**question, "revision": 3, "answer": answer})
        ear.request("POST", save, json={**question, "revision": 2, "answer": None})
        ear.request("POST", save, json={**question, "revision": 3, "answer": None})
        for wrong in (
            {"type": answer["type"]},
            {**answer, "option_id": str(uuid4())},
            {**answer, "option_ids": [str(uuid4())]},
            {**answer, "x": -1, "y": 10**7},
            {"type": "HOT_SPOT", "x": 1, "y": 1},
            {"type": "ORDERING", "option_ids": []},
        ):
            ear.request("POST", save, json={**question, "revision": 4, "answer": wrong})
    ear.request("POST", save, json={"question_id": str(uuid4()), "revision": 1})
    ear.request("GET", path)
    ear.request("GET", f"{path}/review")
    ear.request("POST", "sessions", json={"template": "everything"})
    ear.request("POST", "sessions", json={"template": "nothing"})
    for slug in ("ot-practice-exam", "python-checkpoint"):
        ear.request("POST", "sessions", json={"template": slug})
    ear.request("PATCH", path, json={"metadata": {"device": "phone"}})
    ear.request("PATCH", path, json={"action": "pause"})
    ear.request("GET", path)
    ear.request("POST", save, json={"question_id": session["items"][0]["question_id"]})
    ear.request("PATCH", path, json={"action": "resume"})
    exams.move_clock(session["id"], 16 * 60)
    ear.request(
        "POST", save, json={"question_id": session["items"][0]["question_id"], "revision": 9}
    )
    ear.request("GET", path)
    ear.request("GET", f"{path}/review")
    ear.request("GET", "sessions")


@pytest.mark.parametrize("course", [bank.OT, bank.PYTHON])
def test_nothing_secret_leaves_before_submission_and_everything_is_there_after_it(
    learner: Any, course: str
) -> None:
    assert canaries.plant() > 500
    bank.offer_everything("everything", course=course, pause_minutes=5)
    bank.execute(
        "UPDATE learning.exam_templates SET blueprint = jsonb_set(blueprint, '{items}', '400')"
        " WHERE slug = 'ot-diagnostic'"
    )
    ear = Ear(learner)
    ear.request("POST", "sessions", json={"template": "ot-diagnostic"})
    session = ear.request("POST", "sessions", json={"template": "everything"}).json()
    walk_through(ear, session)
    assert ear.told == []
    assert ear.statuses == {200, 201, 404, 409, 422}

    exams.finalize(learner, session)
    review = learner.get(f"/api/exams/sessions/{session['id']}/review")
    for item in review.json()["items"]:
        question = item["question"]
        assert f"canary-rationale-{item['question_id']}" in question["rationale"]
        sections = [option for part in question["sections"] for option in part["options"]]
        for option in [*question["options"], *sections]:
            assert f"canary-feedback-{item['question_id']}" in option["feedback"]
        assert question["key"] or question["regions"]
    assert str(canaries.REGION_MARK)[2:] in review.text


def test_a_submitted_exam_read_as_a_session_still_tells_nothing(learner: Any) -> None:
    canaries.plant()
    session = exams.start(learner)
    exams.answer_all(learner, session, right=False)
    exams.finalize(learner, session)
    ear = Ear(learner)
    ear.request("GET", f"sessions/{session['id']}")
    ear.request("GET", "sessions")
    item = session["items"][0]
    body = {"question_id": item["question_id"], "revision": 2}
    ear.request("POST", f"sessions/{session['id']}/responses", json=body)
    ear.request("PATCH", f"sessions/{session['id']}", json={"action": "pause"})
    assert ear.told == []


def test_practice_tells_of_the_answered_item_and_of_no_other(learner: Any) -> None:
    canaries.plant()
    session = exams.start(learner, "python-drill")
    # A hot spot has no options, and so no feedback to them.
    first = next(item for item in session["items"] if item["question"]["type"] != "HOT_SPOT")
    others = [item for item in session["items"] if item is not first]
    saved = exams.save(learner, session, first, exams.any_answer(first)).text
    body = learner.get(f"/api/exams/sessions/{session['id']}").text
    for told in (saved, body):
        for kind in ("rationale", "feedback"):
            assert f"canary-{kind}-{first['question_id']}" in told
    for item in others:
        for kind in ("rationale", "feedback"):
            assert f"canary-{kind}-{item['question_id']}" not in body


def test_the_listener_hears_a_secret() -> None:
    assert found_in('{"items": [{"question": {"text": "a canary-rationale-1"}}]}') == ["canary"]
    assert found_in('{"options": [{"is_correct": true}], "media": {"key": "x"}}') == [
        "is_correct",
        "key",
    ]
    image = '{"media": {"key": "a.svg", "alt": "", "width": 1, "height": 1}}'
    assert found_in(image) == []
    assert found_in('{"x": 100.4242171}') == ["4242171"]
