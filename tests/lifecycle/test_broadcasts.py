from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from studypack.core.database import transaction
from studypack.core.errors import Conflict
from studypack.lifecycle import broadcasts
from studypack.lifecycle.segments import Segment
from studypack.notifications.models import Broadcast
from tests.support import mail_lives as life
from tests.support.mail_lives import NOW

pytestmark = pytest.mark.usefixtures("database_url")

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
NEW = {"signed_up_days": 1}
"""Leaves the sample content's people out."""


def draft(segment: dict[str, Any] = NEW, per_minute: int = 2) -> UUID:
    with transaction() as session:
        values = {"name": "News", "subject": "News", "body": "Hello.", "per_minute": per_minute}
        made = Broadcast(**values, segment=segment)
        session.add(made)
        session.flush()
        return made.id


def start(id: UUID, now: Any = NOW) -> None:
    with transaction() as session:
        broadcasts.start(session, id, by=None, now=now)  # type: ignore[arg-type]


def stop(id: UUID, now: Any = NOW) -> None:
    with transaction() as session:
        broadcasts.stop(session, id, by=None, now=now)  # type: ignore[arg-type]


def queue(now: Any) -> int:
    with transaction() as session:
        return broadcasts.queue_next(session, life.moment(now))


def mails(id: UUID) -> list[Any]:
    return life.rows(
        "SELECT * FROM notifications.email_queue WHERE broadcast_id = :id ORDER BY user_id", id=id
    )


def state(id: UUID) -> str:
    [row] = life.rows("SELECT status FROM notifications.broadcasts WHERE id = :id", id=id)
    return str(row.status)


def readers(number: int) -> list[UUID]:
    return [life.person(signed_up=NOW - DAY / 2 + n * MINUTE) for n in range(number)]


def test_a_broadcast_goes_at_its_rate_and_ends_when_all_was_sent() -> None:
    people = readers(5)
    id = draft()
    start(id)
    queue(NOW)
    assert [row.user_id for row in mails(id)] == people[:2]
    assert [row.scheduled_for - NOW for row in mails(id)] == [MINUTE * 0, MINUTE / 2]
    assert queue(NOW) == 0
    queue(NOW + 2 * MINUTE)
    assert [row.user_id for row in mails(id)] == people
    queue(NOW + 4 * MINUTE)
    assert state(id) == "SENDING"
    life.execute("UPDATE notifications.email_queue SET status = 'SENT'")
    queue(NOW + 6 * MINUTE)
    assert state(id) == "SENT"
    assert len(mails(id)) == 5


def test_after_a_long_pause_no_more_than_ten_minutes_worth_is_queued() -> None:
    readers(25)
    id = draft()
    start(id)
    queue(NOW + 300 * MINUTE)
    assert len(mails(id)) == 20


def test_who_must_not_get_marketing_is_withheld_with_the_reason() -> None:
    reader = life.person(signed_up=NOW - DAY / 2)
    not_verified = life.person(signed_up=NOW - DAY / 3, verified=False)
    start(draft())
    queue(NOW)
    assert life.decisions(reader) == [("BROADCAST", "SEND", "due")]
    assert life.decisions(not_verified) == [("BROADCAST", "WITHHOLD", "unverified")]


def test_stopping_takes_back_what_waits_and_starting_again_goes_on_without_doubling() -> None:
    people = readers(5)
    id = draft(per_minute=3)
    start(id)
    queue(NOW)
    life.execute(
        "UPDATE notifications.email_queue SET status = 'SENT' WHERE user_id = :id", id=people[0]
    )
    stop(id)
    assert [(row.status, row.status_reason) for row in mails(id)] == [
        ("SENT", None),
        ("CANCELLED", "broadcast_stopped"),
        ("CANCELLED", "broadcast_stopped"),
    ]
    assert queue(NOW + 5 * MINUTE) == 0
    start(id, NOW + 10 * MINUTE)
    queue(NOW + 10 * MINUTE)
    queue(NOW + 12 * MINUTE)
    assert [row.status for row in mails(id)] == ["SENT", *["PENDING"] * 4]
    assert [row.user_id for row in mails(id)] == people


def test_who_signs_up_after_the_start_is_not_among_its_readers() -> None:
    readers(1)
    id = draft(per_minute=50)
    start(id)
    life.person(signed_up=NOW + MINUTE)
    queue(NOW + 2 * MINUTE)
    assert len(mails(id)) == 1


def test_what_was_begun_cannot_be_changed() -> None:
    id = draft()
    start(id)
    stop(id)
    with transaction() as session, pytest.raises(Conflict):
        broadcasts.change(session, id, {"body": "Other."}, by=None)  # type: ignore[arg-type]
    with transaction() as session:
        broadcasts.change(session, id, {"per_minute": 9}, by=None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        ({}, {"plain", "unverified", "subscriber", "away", "tokyo"}),
        ({"verified": False}, {"unverified"}),
        ({"plan": "PRO"}, {"subscriber"}),
        ({"plan": "FREE"}, {"plain", "unverified", "away", "tokyo"}),
        ({"inactive_days": 10}, {"away"}),
        ({"timezone": "Asia/Tokyo"}, {"tokyo"}),
        ({"verified": True, "plan": "FREE", "timezone": "UTC"}, {"plain", "away"}),
        ({"course": "no-such-course"}, set()),
        ({"role": "ADMIN"}, set()),
    ],
)
def test_a_segment_holds_who_fits_all_its_conditions(
    segment: dict[str, Any], expected: set[str]
) -> None:
    born = NOW - 20 * DAY
    people = {
        "plain": life.person(signed_up=born, last_login=NOW - DAY),
        "unverified": life.person(signed_up=born, last_login=NOW - DAY, verified=False),
        "subscriber": life.person(signed_up=born, last_login=NOW - DAY),
        "away": life.person(signed_up=born),
        "tokyo": life.person(signed_up=born, last_login=NOW - DAY, timezone="Asia/Tokyo"),
    }
    life.subscribe(people["subscriber"], ends=NOW + 9 * DAY)
    id = draft({"signed_up_days": 30, **segment}, per_minute=100)
    start(id)
    queue(NOW)
    asked = {name for name, user in people.items() if life.decisions(user)}
    assert asked == expected


@pytest.mark.parametrize(
    "wrong", [{"plan": "GOLD"}, {"inactive_days": 0}, {"course": "A b"}, {"unknown": 1}], ids=str
)
def test_a_segment_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Segment.model_validate(wrong)


def test_a_run_queues_no_more_at_once_than_one_transaction_should(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    people = readers(5)
    monkeypatch.setattr(broadcasts, "MOST_AT_ONCE", 3)
    id = draft(per_minute=100_000)
    start(id)

    queue(NOW)
    assert [row.user_id for row in mails(id)] == people[:3]
    queue(NOW + MINUTE)
    assert [row.user_id for row in mails(id)] == people
