from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studypack.lifecycle.digest import TRIGGERS, weeks_to_tell
from studypack.notifications.catalogue import missing_facts
from studypack.notifications.models import EmailTemplate
from tests.support import learning, quizzes
from tests.support import mail_lives as life
from tests.support.learning import Material
from tests.support.quizzes import QuizMaterial

MONDAY = datetime(2031, 3, 3, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
[DIGEST] = TRIGGERS


def earn(user: UUID, at: datetime, xp: int = 10) -> None:
    life.execute(
        "INSERT INTO activity.xp_logs (id, user_id, source_type, reference_id, xp_amount,"
        " created_at) VALUES (gen_random_uuid(), :id, 'EXAM', gen_random_uuid(), :xp, :at)",
        id=user,
        xp=xp,
        at=at,
    )


def complete(
    user: UUID,
    course: Material,
    item: UUID,
    at: datetime,
    *,
    kind: str = "LESSON",
    watched: int = 0,
) -> None:
    life.execute(
        "INSERT INTO learning.item_completions (user_id, item_id, kind, module_id, completed_at)"
        " VALUES (:user, :item, :kind, :module, :at)",
        user=user,
        item=item,
        kind=kind,
        module=course.modules[0],
        at=at,
    )
    if kind == "LESSON":
        life.execute(
            "INSERT INTO learning.lesson_progress (id, user_id, lesson_id, watched_seconds)"
            " VALUES (gen_random_uuid(), :user, :item, :watched)",
            user=user,
            item=item,
            watched=watched,
        )


def answer_quiz(
    user: UUID, quiz: QuizMaterial, times: list[datetime | None], *, seconds: int
) -> None:
    """Answer questions at these times; None: the last answer is taken back."""
    attempt = uuid4()
    life.execute(
        "INSERT INTO learning.quiz_attempts (id, user_id, quiz_id, attempt_number, form, rules,"
        " max_points) VALUES (:id, :user, :quiz, 1, '[]', '{}', 1)",
        id=attempt,
        user=user,
        quiz=quiz.id,
    )
    for question, at in zip(quiz.questions, times, strict=True):
        life.execute(
            "INSERT INTO learning.quiz_answers (id, attempt_id, question_id, response, revision,"
            " time_spent_seconds, answered_at) VALUES (gen_random_uuid(), :attempt, :question,"
            " CAST(:response AS jsonb), 1, :seconds, :at)",
            attempt=attempt,
            question=question,
            response=None if at is None else "{}",
            seconds=seconds,
            at=at or MONDAY - DAY,
        )


@pytest.mark.usefixtures("database_url")
def test_who_studied_last_week_hears_of_it_on_monday_morning_once() -> None:
    user = life.person(signed_up=MONDAY - 60 * DAY, last_login=MONDAY - DAY)
    earn(user, MONDAY - 5 * DAY, 10)
    earn(user, MONDAY - 3 * DAY, 15)
    earn(user, MONDAY - 20 * DAY, 99)
    for _ in range(2):
        life.decide_by(DIGEST, MONDAY)
        life.decide_by(DIGEST, MONDAY + timedelta(hours=2))
    [row] = life.queue(user)
    assert not missing_facts(EmailTemplate.WEEKLY_DIGEST, row.data)
    assert row.data["xp"] == 25
    assert row.data["study_days"] == [False, False, True, False, True, False, False]
    assert (row.data["week_start"], row.data["week_end"]) == ("2031-02-24", "2031-03-02")


@pytest.mark.usefixtures("database_url")
def test_lessons_and_answers_of_the_week_are_counted_from_their_own_tables() -> None:
    user = life.person(signed_up=MONDAY - 60 * DAY, last_login=MONDAY - DAY)
    course = learning.a_course(0)
    week = MONDAY - 4 * DAY
    learned = {
        learning.add_lesson(course, estimated_minutes=20): week,
        learning.add_lesson(course): week,  # nobody says how long it takes
        learning.add_video(course, estimated_minutes=99): week,
        learning.add_lesson(course, estimated_minutes=60): MONDAY - 8 * DAY,
        learning.add_lesson(course, estimated_minutes=60): MONDAY,
    }
    for lesson, at in learned.items():
        complete(user, course, lesson, at, watched=550)
    complete(user, course, learning.add_quiz(course), week, kind="QUIZ")
    quiz = quizzes.a_quiz({"Loops": 4}, course=course)
    answer_quiz(user, quiz, [week, week, week - 9 * DAY, None], seconds=35)
    earn(user, week)

    life.decide_by(DIGEST, MONDAY)

    [row] = life.queue(user)
    assert row.data["lessons_completed"] == 3
    assert row.data["questions_answered"] == 2
    assert row.data["study_minutes"] == 30  # 20 min + 550 s + 2 x 35 s


@pytest.mark.usefixtures("database_url")
def test_who_only_answered_questions_of_a_quiz_hears_of_the_week() -> None:
    user = life.person(signed_up=MONDAY - 60 * DAY, last_login=MONDAY - DAY)
    answer_quiz(user, quizzes.a_quiz({"Loops": 1}), [MONDAY - DAY], seconds=59)
    life.decide_by(DIGEST, MONDAY)
    [row] = life.queue(user)
    assert (row.data["questions_answered"], row.data["study_minutes"]) == (1, 0)


@pytest.mark.usefixtures("database_url")
@pytest.mark.parametrize(("later", "status"), [(-1, "PENDING"), (0, "CANCELLED")])
def test_a_week_that_is_long_past_is_not_told_of_any_more(later: int, status: str) -> None:
    user = life.person(signed_up=MONDAY - 60 * DAY, last_login=MONDAY - DAY)
    earn(user, MONDAY - DAY)
    life.decide_by(DIGEST, MONDAY)
    # Put off by the weekly limit:
    life.execute("UPDATE notifications.email_queue SET scheduled_for = :at", at=MONDAY + 5 * DAY)

    life.cancel(MONDAY + 2 * DAY + timedelta(seconds=later))

    [row] = life.queue(user)
    assert row.status == status
    told = life.decisions(user)
    assert (("WEEKLY_DIGEST", "CANCEL", "too_late") in told) is (status == "CANCELLED")


@pytest.mark.usefixtures("database_url")
def test_who_did_nothing_hears_nothing() -> None:
    user = life.person(signed_up=MONDAY - 60 * DAY, last_login=MONDAY - DAY)
    earn(user, MONDAY - 8 * DAY)
    assert life.decide_by(DIGEST, MONDAY) == 0


@pytest.mark.usefixtures("database_url")
def test_monday_is_that_of_the_reader() -> None:
    came = {"signed_up": MONDAY - 60 * DAY, "last_login": MONDAY - 20 * DAY}
    tokyo = life.person(**came, timezone="Asia/Tokyo")
    los_angeles = life.person(**came, timezone="America/Los_Angeles")
    for user in (tokyo, los_angeles):
        earn(user, MONDAY - 3 * DAY)
    life.decide_by(DIGEST, datetime(2031, 3, 2, 23, 30, tzinfo=UTC))
    assert (len(life.queue(tokyo)), len(life.queue(los_angeles))) == (1, 0)
    life.decide_by(DIGEST, datetime(2031, 3, 3, 16, 30, tzinfo=UTC))
    assert (len(life.queue(tokyo)), len(life.queue(los_angeles))) == (1, 1)


@given(st.integers(0, 2 * 365 * 24 * 4))
def test_weeks_are_seven_local_days_that_ended_this_monday_morning(quarters: int) -> None:
    now = datetime(2030, 1, 1, tzinfo=UTC) + quarters * timedelta(minutes=15)
    for week in weeks_to_tell(now, morning=8):
        local = now.astimezone(ZoneInfo(week["timezone"]))
        days = [datetime.fromisoformat(day) for day in week["days"]]
        assert local.weekday() == 0
        assert 7 <= local.hour <= 12
        assert len(days) == 8
        assert days == sorted(days)
        assert days[-1].date() == local.date()
        assert week["facts"]["week_end"] == (local.date() - DAY).isoformat()


def test_on_other_days_the_database_is_not_asked() -> None:
    assert DIGEST.values(life.moment(datetime(2031, 3, 5, 12, tzinfo=UTC))) is None
