from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from studypack.questions.answers import QuestionContent
from tests.support import bank, exams
from tests.support.concurrency import meeting_at
from tests.support.sitting import between, fields, parse, shift_start


def start(person: Any, slug: str = "ot-diagnostic", **options: Any) -> Any:
    return person.post("/api/exams/sessions", json={"template": slug}, **options)


def questions(session: dict[str, Any]) -> list[str]:
    return [item["question_id"] for item in session["items"]]


def test_a_started_exam_runs_with_all_its_questions_and_none_answered(learner: Any) -> None:
    session = exams.start(learner)
    assert session["status"] == "IN_PROGRESS"
    assert session["item_count"] == len(session["items"]) == 12
    assert [item["question"]["position"] for item in session["items"]] == list(range(1, 13))
    assert all(item["response"] is None for item in session["items"])
    assert between(session["started_at"], session["clock"]["deadline_at"]) == timedelta(minutes=15)
    assert session["clock"]["remaining_seconds"] in range(890, 901)


def test_the_form_has_as_many_items_of_each_topic_as_the_weights_come_to(learner: Any) -> None:
    session = exams.start(learner)
    assert Counter(item["topic"] for item in session["items"]) == {
        "evaluation-assessment": 3,
        "analysis-planning": 3,
        "intervention": 4,
        "practice-management": 2,
    }
    assert len(set(questions(session))) == 12


def test_a_form_by_topic_keeps_the_blueprints_order(learner: Any) -> None:
    session = exams.start(learner, "python-checkpoint")
    topics = list(dict.fromkeys(item["topic"] for item in session["items"]))
    assert topics == ["python-basics", "control-flow", "functions", "data-structures"]


def test_the_form_is_frozen(learner: Any) -> None:
    session = exams.start(learner)
    path = f"/api/exams/sessions/{session['id']}"
    assert learner.get(path).json()["items"] == session["items"]
    assert learner.get(path).json()["items"] == session["items"]


def test_two_sessions_are_drawn_differently(learner: Any, other_learner: Any) -> None:
    one, other = exams.start(learner), exams.start(other_learner)
    assert questions(one) != questions(other)


def test_a_second_session_asks_what_the_first_did_not(learner: Any) -> None:
    first = exams.start(learner)
    exams.finalize(learner, first)
    second = exams.start(learner)
    assert set(questions(first)).isdisjoint(questions(second))


def test_nothing_comes_a_third_time_before_all_of_its_topic_came_twice(learner: Any) -> None:
    seen: Counter[str] = Counter()
    for _ in range(8):
        session = exams.start(learner, "python-drill")
        seen.update(questions(session))
        exams.finalize(learner, session)
    for topic, available in bank.shelf(bank.PYTHON).items():
        times = [seen[str(question)] for question in available]
        assert sum(times) == 16, topic
        assert max(times) - min(times) <= 1, topic


def test_what_another_learner_saw_does_not_count(learner: Any, other_learner: Any) -> None:
    slug = bank.offer_everything(course=bank.PYTHON)
    exams.start(other_learner, slug)
    fresh = exams.start(learner, "python-drill")
    exams.finalize(learner, fresh)
    again = exams.start(learner, "python-drill")
    assert set(questions(fresh)).isdisjoint(questions(again))


def test_an_accommodation_stretches_the_time(sign_up: Any) -> None:
    session = exams.start(sign_up(time_factor="1.5"))
    assert session["time_factor"] == "1.50"
    assert session["duration_minutes"] == 15
    deadline = session["clock"]["deadline_at"]
    assert between(session["started_at"], deadline) == timedelta(minutes=22, seconds=30)


def test_a_template_changed_after_the_start_does_not_touch_the_session(learner: Any) -> None:
    session = exams.start(learner)
    bank.execute(
        "UPDATE learning.exam_templates SET duration_minutes = 1, pass_percent = 100,"
        " pause_minutes = 0 WHERE slug = 'ot-diagnostic'"
    )
    exams.answer_all(learner, session, right=True)
    path = f"/api/exams/sessions/{session['id']}"
    assert learner.patch(path, json={"action": "pause"}).status_code == 200
    now = learner.patch(path, json={"action": "resume"}).json()
    assert now["duration_minutes"] == 15
    assert exams.finalize(learner, session)["passed"] is True


def test_a_question_edited_after_the_start_is_still_asked_and_graded_as_it_was(
    learner: Any,
) -> None:
    session = exams.start(learner)
    item = next(i for i in session["items"] if i["question"]["type"] == "SINGLE_BEST")
    before = exams.content_of(item["question_id"])
    document = before.model_dump(mode="json")
    options = document["options"]
    keyed = next(place for place, option in enumerate(options) if option["is_correct"])
    options[keyed]["is_correct"], options[keyed - 1]["is_correct"] = False, True
    document["stem"] = "Something else altogether?"
    bank.edit(item["question_id"], QuestionContent.model_validate(document))

    path = f"/api/exams/sessions/{session['id']}"
    assert learner.get(path).json()["items"] == session["items"]
    exams.save(learner, session, item, exams.right_answer(before))
    exams.finalize(learner, session)
    review = learner.get(f"{path}/review").json()
    reviewed = next(i for i in review["items"] if i["question_id"] == item["question_id"])
    assert reviewed["is_correct"] is True
    assert reviewed["question"]["stem"] == before.stem


def test_a_question_withdrawn_after_the_start_is_still_asked(learner: Any) -> None:
    session = exams.start(learner)
    bank.execute("UPDATE learning.questions SET status = 'RETIRED', deleted_at = now()")
    exams.answer_all(learner, session, right=True)
    assert exams.finalize(learner, session)["score_percent"] == "100.00"


def test_only_active_questions_are_drawn(learner: Any) -> None:
    draft, deleted, *drawable = bank.shelf()["practice-management"]
    bank.execute("UPDATE learning.questions SET status = 'DRAFT' WHERE id = :id", id=draft)
    bank.execute("UPDATE learning.questions SET deleted_at = now() WHERE id = :id", id=deleted)
    slug = bank.offer("all-of-it", {"practice-management": 1}, len(drawable))
    assert set(questions(exams.start(learner, slug))) == {str(question) for question in drawable}


def test_a_topic_takes_in_the_topics_below_it(learner: Any) -> None:
    shelf = bank.shelf()["practice-management"]
    bank.new_part_of("practice-management", "ethics", shelf[:5])
    slug = bank.offer("all-of-it", {"practice-management": 1}, len(shelf))
    session = exams.start(learner, slug)
    assert set(questions(session)) == {str(question) for question in shelf}
    assert {item["topic"] for item in session["items"]} == {"practice-management"}


def test_a_question_under_two_topics_of_a_blueprint_counts_for_the_nearer(learner: Any) -> None:
    shelf = bank.shelf()["practice-management"]
    deeper = {str(question) for question in shelf[:5]}
    bank.new_part_of("practice-management", "ethics", shelf[:5])
    slug = bank.offer("both", {"practice-management": 1, "ethics": 1}, 10)
    session = exams.start(learner, slug)
    drawn = {item["question_id"]: item["topic"] for item in session["items"]}
    assert len(drawn) == 10
    assert {q for q, topic in drawn.items() if topic == "ethics"} == deeper
    assert Counter(drawn.values()) == {"ethics": 5, "practice-management": 5}


def test_a_bank_too_small_is_told_by_topic_with_what_is_missing(learner: Any) -> None:
    shelf = bank.shelf()["practice-management"]
    bank.new_part_of("practice-management", "ethics", shelf[:5])
    slug = bank.offer(
        "too-long", {"practice-management": 1, "ethics": 1, "intervention": 1}, 3 * len(shelf)
    )
    answer = start(learner, slug)
    assert answer.status_code == 422
    assert answer.json()["code"] == "bank_too_small"
    assert fields(answer) == ["blueprint.topics.practice-management", "blueprint.topics.ethics"]
    above, below = answer.json()["errors"]
    assert "21 questions are wanted, 16 are there, 5 are missing" in above["message"]
    assert "21 questions are wanted, 5 are there, 16 are missing" in below["message"]
    assert learner.get("/api/exams/sessions").json()["items"] == []


def test_questions_of_a_running_exam_are_drawn_for_no_other(learner: Any) -> None:
    exam = exams.start(learner, "ot-practice-exam")
    for _ in range(4):
        for slug in ("ot-intervention-drill", "ot-diagnostic"):
            other = exams.start(learner, slug)
            assert set(questions(exam)).isdisjoint(questions(other))
            exams.finalize(learner, other)


def test_an_exam_asks_nothing_of_which_running_practice_shows_the_solution(learner: Any) -> None:
    drill = exams.start(learner, "ot-intervention-drill")
    exam = exams.start(learner, "ot-practice-exam")
    assert set(questions(drill)).isdisjoint(questions(exam))


def test_a_start_that_lacks_only_what_other_exams_use_names_topics_and_exams(
    learner: Any, other_learner: Any
) -> None:
    shelf = bank.shelf()["intervention"]
    slug = bank.offer("all-of-it", {"intervention": 1}, len(shelf))
    drill = exams.start(learner, "ot-intervention-drill")
    diagnostic = exams.start(learner)
    exams.start(learner, "python-drill")
    answer = start(learner, slug)
    assert answer.status_code == 409
    assert answer.json()["code"] == "questions_in_use"
    assert answer.json()["session_ids"] == [drill["id"], diagnostic["id"]]
    assert fields(answer) == ["blueprint.topics.intervention"]
    wanted = f"{len(shelf)} questions are wanted, {len(shelf) - 14} are free, 14 are missing"
    assert wanted in answer.json()["errors"][0]["message"]
    assert start(other_learner, slug).status_code == 201
    exams.finalize(learner, drill)
    assert start(learner, slug).json()["session_ids"] == [diagnostic["id"]]
    exams.finalize(learner, diagnostic)
    assert start(learner, slug).status_code == 201


def test_a_topic_that_is_really_too_small_is_told_before_one_in_use(learner: Any) -> None:
    shelf = bank.shelf()
    bank.new_part_of("practice-management", "ethics", shelf["practice-management"][:5])
    exams.start(learner, "ot-intervention-drill")
    size = len(shelf["intervention"])
    slug = bank.offer("too-long", {"ethics": 1, "intervention": 1}, 2 * size)
    answer = start(learner, slug)
    assert (answer.status_code, answer.json()["code"]) == (422, "bank_too_small")
    assert fields(answer) == ["blueprint.topics.ethics"]


def test_an_exam_whose_time_ran_out_holds_no_questions(learner: Any) -> None:
    slug = bank.offer("all-of-it", {"intervention": 1}, len(bank.shelf()["intervention"]))
    drill = exams.start(learner, "ot-intervention-drill")
    exams.move_clock(drill["id"], 15 * 60 + 5)
    assert start(learner, slug).status_code == 201
    stored = "SELECT submitted_by FROM learning.exam_sessions WHERE id = :id"
    assert bank.value(stored, id=drill["id"]) == "CLOCK"


@pytest.mark.usefixtures("wide_pool")
def test_two_exams_started_at_once_share_no_question(learner: Any) -> None:
    one, other = meeting_at(
        "LOCK TABLE learning.exam_sessions IN SHARE MODE",
        [
            lambda: start(learner, "ot-practice-exam"),
            lambda: start(learner, "ot-intervention-drill"),
        ],
    )
    assert (one.status_code, other.status_code) == (201, 201)
    assert set(questions(one.json())).isdisjoint(questions(other.json()))


@pytest.mark.usefixtures("wide_pool")
def test_of_two_starts_at_once_that_need_the_whole_bank_one_learns_of_the_other(
    learner: Any,
) -> None:
    slug = bank.offer_everything(course=bank.PYTHON)
    won, lost = meeting_at(
        "LOCK TABLE learning.exam_sessions IN SHARE MODE",
        [lambda: start(learner, slug), lambda: start(learner, slug)],
    )
    assert (won.status_code, lost.status_code) == (201, 409)
    assert lost.json()["code"] == "exam_already_running"
    assert lost.json()["session_id"] == won.json()["id"]


def test_an_unknown_template_is_named(learner: Any) -> None:
    answer = start(learner, "no-such-exam")
    assert answer.status_code == 404
    assert answer.json()["code"] == "template_not_found"
    assert fields(answer) == ["template"]


def test_a_start_without_a_template_names_the_field(learner: Any) -> None:
    for body in ({}, {"template": ""}, {"template": 7}, {"template": "x" * 101}):
        answer = learner.post("/api/exams/sessions", json=body)
        assert answer.status_code == 422
        assert fields(answer) == ["template"]


def test_an_exam_runs_once_at_a_time(learner: Any) -> None:
    session = exams.start(learner)
    answer = start(learner)
    assert answer.status_code == 409
    assert answer.json()["code"] == "exam_already_running"
    assert answer.json()["session_id"] == session["id"]
    assert start(learner, "ot-practice-exam").status_code == 201


@pytest.mark.usefixtures("wide_pool")
def test_of_two_starts_at_once_one_wins_and_the_other_learns_of_it(learner: Any) -> None:
    one, other = meeting_at(
        "LOCK TABLE learning.exam_sessions IN SHARE MODE",
        [lambda: start(learner), lambda: start(learner)],
    )
    won, lost = sorted((one, other), key=lambda answer: answer.status_code)
    assert (won.status_code, lost.status_code) == (201, 409)
    assert lost.json()["code"] == "exam_already_running"
    assert lost.json()["session_id"] == won.json()["id"]
    assert bank.value("SELECT count(*) FROM learning.exam_sessions") == 1
    assert bank.value("SELECT count(*) FROM learning.exam_items") == 12


def test_a_start_repeated_under_its_key_is_the_same_start(learner: Any) -> None:
    headers = {"Idempotency-Key": "8d1f"}
    first, second = start(learner, headers=headers), start(learner, headers=headers)
    assert first.status_code == second.status_code == 201
    for name in ("id", "started_at", "items"):
        assert first.json()[name] == second.json()[name]
    assert start(learner, "python-drill", headers=headers).status_code == 422


def test_a_retake_comes_after_its_waiting_time(learner: Any) -> None:
    session = exams.start(learner, "python-checkpoint")
    exams.finalize(learner, session)
    answer = start(learner, "python-checkpoint")
    assert answer.status_code == 409
    assert answer.json()["code"] == "retake_too_early"
    assert parse(answer.json()["available_from"]) == parse(shift_start(session, hours=1))
    exams.move_clock(session["id"], 3600)
    assert start(learner, "python-checkpoint").status_code == 201


def test_attempts_are_used_up(learner: Any, other_learner: Any) -> None:
    bank.execute("UPDATE learning.exam_templates SET max_attempts = 2 WHERE slug = 'python-drill'")
    for _ in range(2):
        exams.finalize(learner, exams.start(learner, "python-drill"))
    answer = start(learner, "python-drill")
    assert answer.status_code == 409
    assert answer.json()["code"] == "attempts_used_up"
    assert start(other_learner, "python-drill").status_code == 201


def test_a_session_whose_time_ran_out_does_not_stand_in_the_way(learner: Any) -> None:
    old = exams.start(learner)
    exams.answer_all(learner, old, right=True)
    exams.move_clock(old["id"], 15 * 60 + 5)
    assert start(learner).status_code == 201
    stored = bank.row(
        "SELECT status, submitted_by, submitted_at = deadline_at AS on_time, score_percent"
        " FROM learning.exam_sessions WHERE id = :id",
        id=old["id"],
    )
    assert (stored.status, stored.submitted_by, stored.on_time) == ("REVIEW", "CLOCK", True)
    assert stored.score_percent == 100


def test_a_refused_start_leaves_nothing_behind(learner: Any) -> None:
    session = exams.start(learner, "python-checkpoint")
    exams.move_clock(session["id"], 26 * 60)
    assert start(learner, "python-checkpoint").json()["code"] == "retake_too_early"
    assert bank.value("SELECT count(*) FROM learning.exam_sessions") == 1
    assert bank.value("SELECT count(*) FROM learning.exam_items") == 15
    assert (
        bank.value(
            "SELECT count(*) FROM activity.analytics_events WHERE event_name = 'exam_started'"
        )
        == 1
    )


def test_a_start_is_an_event(learner: Any) -> None:
    session = exams.start(learner)
    event = bank.row(
        "SELECT user_id, exam_session_id, payload FROM activity.analytics_events"
        " WHERE event_name = 'exam_started'"
    )
    assert (event.user_id, str(event.exam_session_id)) == (learner.id, session["id"])
    assert event.payload == {"template": "ot-diagnostic"}


@pytest.mark.parametrize("slug", ["ot-diagnostic", "ot-practice-exam"])
def test_a_start_costs_the_same_statements_for_twelve_items_and_forty(
    learner: Any, statements: Any, slug: str
) -> None:
    statements()
    exams.start(learner, slug)
    assert len(statements()) == 1 + 6, "template, draw, session, form, event; the form read back"
