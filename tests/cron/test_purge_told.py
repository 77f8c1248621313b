"""What of mails and notifications is thrown away, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from cron import purge_expired
from studypack.core.business_settings import forget_business_settings, set_business_setting
from studypack.core.database import transaction
from studypack.core.ids import uuid7
from tests.support import bank, exams

NOW = datetime.now(UTC)


def run() -> dict[str, Any]:
    return purge_expired.handler({}, exams.JobContext(60_000))


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def setting(key: str, value: int) -> None:
    with transaction() as session:
        set_business_setting(session, key, value)
    forget_business_settings()


def notification(person: Any, days: float) -> None:
    at = ago(days)
    bank.execute(
        "INSERT INTO notifications.notifications"
        " (id, user_id, type, title, message, reference, created_at)"
        " VALUES (:id, :user, 'ANNOUNCEMENT', 't', 'm', CAST(:id AS text), :at)",
        id=uuid7(at),
        user=person.id,
        at=at,
    )


def mail(person: Any, days: float, status: str = "SENT") -> UUID:
    identifier = uuid7(ago(days))
    bank.execute(
        "INSERT INTO notifications.email_queue (id, user_id, template, dedupe_key, status)"
        " VALUES (:id, :user, 'WELCOME', CAST(:id AS text), :status)",
        id=identifier,
        user=person.id,
        status=status,
    )
    return identifier


def log(person: Any, days: float) -> None:
    bank.execute(
        "INSERT INTO notifications.email_logs"
        " (id, user_id, template, to_address, subject, status, delivery, sent_at)"
        " VALUES (:id, :user, 'WELCOME', 'ada@example.com', 'Ada', 'SENT', 'DELIVERED', :at)",
        id=uuid7(ago(days)),
        user=person.id,
        at=ago(days),
    )


def decision(person: Any, days: float) -> None:
    bank.execute(
        "INSERT INTO notifications.email_decisions"
        " (id, user_id, template, occasion, verdict, rule, reason, decided_at)"
        " VALUES (:id, :user, 'WELCOME', CAST(:id AS text), 'SEND', 'test', 'due', :at)",
        id=uuid7(ago(days)),
        user=person.id,
        at=ago(days),
    )


def test_notifications_go_after_half_a_year(learner: Any) -> None:
    for days in (179.9, 180.1, 500):
        notification(learner, days)

    assert run()["notifications"] == 2
    assert bank.value("SELECT count(*) FROM notifications.notifications") == 1


def test_mails_that_are_over_go_and_those_that_wait_never(learner: Any) -> None:
    bank.execute("DELETE FROM notifications.email_queue")
    kept = {mail(learner, 399.9), mail(learner, 500, "PENDING")}
    for status in ("SENT", "FAILED", "CANCELLED"):
        mail(learner, 400.1, status)

    assert run()["mails"] == 3
    left = {row.id for row in bank.rows("SELECT id FROM notifications.email_queue")}
    assert left == kept


def test_old_logs_lose_whom_they_went_to_and_stay(learner: Any) -> None:
    for days in (399.9, 400.1, 800):
        log(learner, days)

    assert run()["blanked_addresses"] == 2
    found = bank.rows(
        "SELECT to_address, subject, delivery FROM notifications.email_logs ORDER BY sent_at"
    )
    assert [tuple(each) for each in found] == [
        (None, "", "DELIVERED"),
        (None, "", "DELIVERED"),
        ("ada@example.com", "Ada", "DELIVERED"),
    ]
    assert run()["blanked_addresses"] == 0


def test_decisions_go_after_their_time(learner: Any) -> None:
    for days in (399.9, 400.1):
        decision(learner, days)

    assert run()["decisions"] == 1
    assert bank.value("SELECT count(*) FROM notifications.email_decisions") == 1


@pytest.mark.parametrize(
    ("key", "make", "table"),
    [
        ("email_log_days", mail, "email_queue"),
        ("email_decision_days", decision, "email_decisions"),
    ],
)
def test_an_occasion_is_remembered_for_as_long_as_a_trigger_looks_back(
    learner: Any, key: str, make: Any, table: str
) -> None:
    bank.execute("DELETE FROM notifications.email_queue")
    setting(key, 30)
    for days in (61, 89.9, 90.1):
        make(learner, days)

    run()

    assert bank.value(f"SELECT count(*) FROM notifications.{table}") == 2


def test_a_setting_says_when_notifications_go(learner: Any) -> None:
    setting("notification_days", 7)
    for days in (6.9, 7.1):
        notification(learner, days)

    assert run()["notifications"] == 1


@pytest.mark.parametrize(
    ("table", "where", "index"),
    [
        (
            "notifications",
            "id < public.smallest_uuid7(now() - interval '180 days') ORDER BY id",
            "pk_notifications",
        ),
        (
            "email_logs",
            "sent_at < now() - interval '400 days' AND to_address IS NOT NULL ORDER BY sent_at",
            "ix_email_logs_addressed",
        ),
        (
            "email_decisions",
            "decided_at < now() - interval '400 days' ORDER BY decided_at",
            "ix_email_decisions_decided_at",
        ),
    ],
)
def test_what_is_old_is_found_by_an_index(
    database_url: str, table: str, where: str, index: str
) -> None:
    with transaction() as session:
        from sqlalchemy import text

        session.execute(text("SET LOCAL enable_seqscan = off"))
        plan = session.scalars(
            text(f"EXPLAIN SELECT id FROM notifications.{table} WHERE {where} LIMIT 1000")
        ).all()

    assert any(index in line for line in plan), plan
