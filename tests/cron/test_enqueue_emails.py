from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cron import enqueue_emails
from studypack.core.business_settings import forget_business_settings
from studypack.core.database import transaction
from studypack.lifecycle import abandonment, onboarding
from tests.support import exams
from tests.support import mail_lives as life

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def courses_cost_something(database_url: str) -> None:
    """Unlike in the sample content, which opens everything to everybody."""
    life.execute("DELETE FROM auth.settings WHERE key = 'free_plan_features'")
    forget_business_settings()


def run(milliseconds: int = 60_000) -> dict[str, Any]:
    return enqueue_emails.handler({}, exams.JobContext(milliseconds))


def abandoning(number: int) -> list[Any]:
    now = datetime.now(UTC)
    people = [life.person(signed_up=now - 3 * HOUR) for _ in range(number)]
    for user in people:
        life.event(user, "video_1_completed", now - 2 * HOUR, **life.video())
    return people


def test_a_run_decides_by_the_databases_clock_and_a_second_finds_nothing() -> None:
    run()
    [user] = abandoning(1)
    report = run()
    assert (report["mails"], report["complete"]) == (2, True)
    assert [name for name, *_ in life.decisions(user)] == ["ABANDONMENT_1", "WELCOME"]
    again = run()
    assert (again["processed"], again["complete"]) == (0, True)


def test_what_lost_its_reason_is_taken_back_before_anything_is_decided() -> None:
    [user] = abandoning(1)
    run()
    life.execute("UPDATE auth.users SET access_override = true WHERE id = :id", id=user)
    assert run()["cancelled"] == 1
    assert [row.status for row in life.queue(user) if row.template == "ABANDONMENT_1"] == [
        "CANCELLED"
    ]


def test_a_run_without_time_does_nothing_and_is_not_complete() -> None:
    abandoning(1)
    report = run(1_000)
    assert (report["processed"], report["complete"]) == (0, False)


@pytest.mark.usefixtures("wide_pool")
def test_runs_side_by_side_make_one_decision_and_one_mail_for_each_occasion() -> None:
    run()
    people = abandoning(60)
    with ThreadPoolExecutor(6) as pool:
        reports = list(pool.map(lambda _: run(), range(6)))
    assert sum(report["mails"] for report in reports) == 2 * len(people)
    for user in people:
        assert [verdict for _, verdict, _ in life.decisions(user)] == ["SEND", "SEND"]
        assert len(life.queue(user)) == 2


@pytest.mark.usefixtures("wide_pool")
def test_who_decides_second_on_the_same_occasions_waits_and_then_writes_nothing() -> None:
    people = abandoning(20)
    now = datetime.now(UTC)
    [trigger] = abandonment.TRIGGERS

    def decide(_: int) -> int:
        with transaction() as session:
            return trigger.decide(session, life.moment(now)).mails

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(decide, range(8))) == len(people)


def test_sign_up_queues_the_welcome_itself_and_the_job_makes_no_second(learner: Any) -> None:
    assert [row.template for row in life.queue(learner.id)].count("WELCOME") == 1
    with transaction() as session:
        now = datetime.now(UTC) + HOUR
        assert onboarding.TRIGGERS[0].rule == "welcome"
        onboarding.TRIGGERS[0].decide(session, life.moment(now))
    assert [row.template for row in life.queue(learner.id)].count("WELCOME") == 1
