from __future__ import annotations

from typing import Any

from studypack.core.business_settings import set_business_setting
from studypack.core.database import transaction
from tests.support import bank, exams


def end_access() -> None:
    """The free plan no longer gives anything, and there is no other yet."""
    with transaction() as session:
        set_business_setting(session, "free_plan_features", [])


def test_without_entitlement_no_exam_is_offered_or_started(learner: Any) -> None:
    end_access()
    for answer in (
        learner.get("/api/exams/templates"),
        learner.post("/api/exams/sessions", json={"template": "ot-diagnostic"}),
    ):
        assert answer.status_code == 402
        assert answer.json()["code"] == "entitlement_required"
        assert answer.json()["features"] == ["exams"]
    assert bank.value("SELECT count(*) FROM learning.exam_sessions") == 0


def test_an_access_override_opens_exams_to_its_holder(learner: Any, other_learner: Any) -> None:
    end_access()
    bank.execute("UPDATE auth.users SET access_override = true WHERE id = :id", id=learner.id)
    exams.start(learner)
    assert other_learner.get("/api/exams/templates").status_code == 402


def test_a_running_exam_may_be_finished_and_reviewed_after_access_ended(learner: Any) -> None:
    session = exams.start(learner)
    end_access()
    path = f"/api/exams/sessions/{session['id']}"
    assert learner.get(path).status_code == 200
    assert learner.patch(path, json={"action": "pause"}).status_code == 200
    assert learner.patch(path, json={"action": "resume"}).status_code == 200
    exams.answer_all(learner, session, right=True)
    assert exams.finalize(learner, session)["passed"] is True
    assert learner.get(f"{path}/review").status_code == 200
    assert len(learner.get("/api/exams/sessions").json()["items"]) == 1
    assert learner.post("/api/exams/sessions", json={"template": "python-drill"}).status_code == 402
