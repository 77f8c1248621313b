from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studypack.lifecycle.digest import TRIGGERS, weeks_to_tell
from studypack.notifications.catalogue import missing_facts
from studypack.notifications.models import EmailTemplate
from tests.support import mail_lives as life

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
