from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text

from studypack.core.database import autocommit, transaction
from studypack.core.ids import uuid7
from studypack.notifications import claiming
from studypack.notifications.claiming import claim, oldest_due, release
from tests.support.mail_queue import LATER, NOW, change, queue, reader, row, suppress


def test_a_claim_brings_everything_that_decides_about_a_mail(database_url: str) -> None:
    user = reader("Ada@example.com", first_name="Ada", timezone="Europe/Berlin")
    mail = queue(user, data={"a": 1})
    suppress("ada@example.com", "UNSUBSCRIBE", "REMINDERS")
    suppress("ada@example.com", "COMPLAINT")

    [claimed] = claim(uuid7(), size=5, now=NOW)

    assert (claimed.id, claimed.user_id, claimed.data) == (mail, user, {"a": 1})
    assert (claimed.address, claimed.first_name) == ("Ada@example.com", "Ada")
    recipient = claimed.recipient
    assert (recipient.is_open, recipient.is_verified) == (True, True)
    assert recipient.timezone == "Europe/Berlin"
    assert (recipient.switched_off, recipient.suppressed) == ({"REMINDERS"}, {"COMPLAINT"})
    assert not claimed.may_be_sent


def test_an_address_that_is_not_the_accounts_counts_as_unverified(database_url: str) -> None:
    queue(reader(), to_address="elsewhere@example.com")

    [claimed] = claim(uuid7(), size=5, now=NOW)

    assert (claimed.address, claimed.recipient.is_verified) == ("elsewhere@example.com", False)


def test_who_is_invited_is_not_called_by_the_inviters_name(database_url: str) -> None:
    queue(reader(timezone="Asia/Tokyo"), "SEAT_INVITATION", to_address="guest@example.com")

    [claimed] = claim(uuid7(), size=5, now=NOW)

    assert (claimed.first_name, claimed.recipient.timezone) == (None, "UTC")


def test_a_lease_keeps_others_off_until_it_ends(database_url: str) -> None:
    mail = queue(reader())
    first, second = uuid7(), uuid7()
    assert len(claim(first, size=5, now=NOW)) == 1

    assert claim(second, size=5, now=NOW + claiming.LEASE - timedelta(seconds=1)) == []
    assert len(claim(second, size=5, now=NOW + claiming.LEASE)) == 1
    assert row(mail)["lease_id"] == second


def test_a_claim_whose_answer_got_lost_finds_its_mails_again(database_url: str) -> None:
    queue(reader())
    lease = uuid7()

    assert len(claim(lease, size=5, now=NOW)) == len(claim(lease, size=5, now=NOW)) == 1


def test_what_is_given_back_can_be_claimed_at_once_unless_another_has_it(
    database_url: str,
) -> None:
    mail = queue(reader())
    first, second = uuid7(), uuid7()
    claim(first, size=5, now=NOW)
    release(first, [mail])
    assert len(claim(second, size=5, now=NOW)) == 1

    release(first, [mail])

    assert claim(first, size=5, now=NOW) == []


def test_a_row_that_somebody_has_locked_is_passed_by(database_url: str, wide_pool: None) -> None:
    locked, free = queue(reader(), scheduled_for=NOW - LATER), queue(reader())
    with transaction() as session:
        session.execute(
            text("SELECT 1 FROM notifications.email_queue WHERE id = :id FOR UPDATE"),
            {"id": locked},
        )

        assert [each.id for each in claim(uuid7(), size=5, now=NOW)] == [free]


def test_the_facts_are_those_of_the_moment(database_url: str) -> None:
    user = reader()
    queue(user)
    lease = uuid7()
    [before] = claim(lease, size=5, now=NOW)
    change(user, email="new@example.com", is_active=False)

    [after] = claim(lease, size=5, now=NOW)

    assert after.address == "new@example.com"
    assert (before.recipient.is_open, after.recipient.is_open) == (True, False)
    assert before.seen != after.seen


def test_the_oldest_mail_that_is_due_is_measured(database_url: str) -> None:
    assert oldest_due(NOW) == timedelta()
    queue(reader(), scheduled_for=NOW + LATER)
    assert oldest_due(NOW) == timedelta()
    queue(reader(), scheduled_for=NOW - timedelta(hours=2))
    queue(reader(), scheduled_for=NOW - LATER, is_urgent=True)
    assert oldest_due(NOW) == timedelta(hours=2)


def test_a_claim_walks_along_the_index_past_no_mail_that_waits_for_its_time(
    database_url: str,
) -> None:
    user = reader()
    with autocommit() as connection:
        connection.execute(
            text(
                "INSERT INTO notifications.email_queue"
                " (id, user_id, template, dedupe_key, scheduled_for, is_urgent)"
                " SELECT gen_random_uuid(), :user, 'WELCOME', n::text,"
                "        CAST(:now AS timestamptz) + n * interval '1 minute', mod(n, 2) = 0"
                "   FROM generate_series(1, 20000) AS n"
            ),
            {"user": user, "now": NOW},
        )
        connection.execute(text("ANALYZE notifications.email_queue"))
        explained = connection.execute(
            text(f"EXPLAIN (ANALYZE, BUFFERS) {claiming._CLAIM_DUE.text}"),
            {
                "now": NOW,
                "size": 50,
                "others": 50,
                "lease": uuid7(),
                "until": NOW,
                "week_ago": NOW,
                "marketing": ["WELCOME"],
            },
        )
        plan = "\n".join(explained.scalars())

    assert plan.count("using ix_email_queue_due") == 2
    assert "Seq Scan on email_queue" not in plan
    assert "Rows Removed by Filter" not in plan
