from __future__ import annotations

from typing import Any
from uuid import uuid4

from cron import purge_expired
from tests.support import bank, exams


def run(milliseconds: int = 60_000) -> dict[str, Any]:
    return purge_expired.handler({}, exams.JobContext(milliseconds))


def token(person: Any, expired_for: str) -> None:
    bank.execute(
        "INSERT INTO auth.verification_tokens (id, user_id, purpose, token_hash, email, expires_at)"
        " VALUES (:id, :user, 'PASSWORD_RESET', sha256(CAST(:id AS text)::bytea), 'a@example.com',"
        " now() - CAST(:age AS interval))",
        id=uuid4(),
        user=person.id,
        age=expired_for,
    )


def answer(person: Any, key: str, age: str) -> None:
    bank.execute(
        "INSERT INTO auth.idempotency_keys (user_id, operation, key, fingerprint, created_at)"
        " VALUES (:user, 'test', :key, '', now() - CAST(:age AS interval))",
        user=person.id,
        key=key,
        age=age,
    )


def test_sessions_go_when_they_have_expired(learner: Any, other_learner: Any) -> None:
    bank.execute(
        "UPDATE auth.sessions SET expires_at = now() - interval '1 second' WHERE user_id = :id",
        id=learner.id,
    )
    assert run()["sessions"] == 1
    assert [row.user_id for row in bank.rows("SELECT user_id FROM auth.sessions")] == [
        other_learner.id
    ]


def test_links_go_a_week_after_they_have_expired(learner: Any) -> None:
    bank.execute("DELETE FROM auth.verification_tokens")
    for age in ("-1 hour", "6 days 23 hours", "7 days 1 second"):
        token(learner, age)
    assert run()["verification_tokens"] == 1
    assert bank.value("SELECT count(*) FROM auth.verification_tokens") == 2


def test_throttles_go_when_their_window_is_over(learner: Any) -> None:
    bank.execute("DELETE FROM auth.throttles")
    bank.execute(
        "INSERT INTO auth.throttles (key, hits, resets_at)"
        " VALUES ('old', 1, now() - interval '1 second'), ('new', 1, now() + interval '1 minute')"
    )
    assert run()["throttles"] == 1
    assert bytes(bank.value("SELECT key FROM auth.throttles")) == b"new"


def test_stored_answers_go_after_a_day(learner: Any) -> None:
    answer(learner, "old", "24 hours 1 second")
    answer(learner, "new", "23 hours")
    assert run()["idempotency_keys"] == 1
    assert bank.value("SELECT key FROM auth.idempotency_keys") == "new"


def test_a_second_run_finds_nothing(learner: Any) -> None:
    answer(learner, "old", "2 days")
    assert run()["processed"] == 1
    report = run()
    assert (report["processed"], report["complete"]) == (0, True)


def test_more_than_a_batch_goes_in_batches(learner: Any) -> None:
    bank.execute(
        "INSERT INTO auth.throttles (key, hits, resets_at)"
        " SELECT sha256(n::text::bytea), 1, now() - interval '1 day'"
        " FROM generate_series(1, 1001) AS n"
    )
    assert run()["throttles"] == 1001
    assert bank.value("SELECT count(*) FROM auth.throttles") == 0


def test_a_run_without_time_deletes_nothing_and_is_not_complete(learner: Any) -> None:
    answer(learner, "old", "2 days")
    report = run(1_000)
    assert (report["processed"], report["complete"]) == (0, False)


def test_links_of_mails_that_were_never_sent_are_blanked_after_two_weeks(learner: Any) -> None:
    def link() -> Any:
        return bank.value(
            "SELECT data ->> 'link' FROM notifications.email_queue WHERE user_id = :id"
            " AND template = 'VERIFY_EMAIL'",
            id=learner.id,
        )

    assert run()["blanked_links"] == 0
    assert link() is not None
    bank.execute("UPDATE notifications.email_queue SET scheduled_for = now() - interval '15 d'")
    assert run()["blanked_links"] == 1
    assert link() is None


def test_the_audit_log_is_kept_for_as_long_as_the_setting_says(learner: Any) -> None:
    for days in (399, 401):
        bank.execute(
            "INSERT INTO auth.audit_log (id, action)"
            " VALUES (public.uuid7(now() - make_interval(days => :days)), :action)",
            days=days,
            action=f"account.tested_{days}",
        )
    assert run()["audit_log"] == 1
    acts = bank.rows("SELECT action FROM auth.audit_log WHERE action LIKE 'account.tested%'")
    assert [act.action for act in acts] == ["account.tested_399"]
