from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studypack.notifications.models import Category, SuppressionReason, Verdict
from studypack.notifications.policy import Limits, Mail, Recipient, Ruling, quiet_until, rule

LIMITS = Limits(quiet_from=21, quiet_until=8, per_week=3)
MARKETING = Mail(Category.MARKETING, is_marketing=True)
ACCOUNT = Mail(Category.ACCOUNT, is_marketing=False)
LEARNING = Mail(Category.LEARNING, is_marketing=False)
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
READER = Recipient(
    is_open=True,
    is_verified=True,
    timezone="UTC",
    marketing_opt_out=False,
    switched_off=frozenset(),
    suppressed=frozenset(),
    marketing_sent=(),
)


def ruled(mail: Mail, *, now: datetime = NOON, limits: Limits = LIMITS, **changes: Any) -> Ruling:
    return rule(mail, replace(READER, **changes), limits, now=now)


def test_a_mail_that_nothing_speaks_against_is_sent() -> None:
    assert ruled(MARKETING) == ruled(ACCOUNT) == Ruling(Verdict.SEND, "due")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"is_open": False}, "account_closed"),
        ({"suppressed": frozenset({SuppressionReason.HARD_BOUNCE})}, "bounced"),
    ],
)
def test_nothing_is_sent_to_who_is_gone_or_to_an_address_that_bounced(
    changes: dict[str, Any], reason: str
) -> None:
    for mail in (MARKETING, LEARNING, ACCOUNT):
        assert ruled(mail, **changes) == Ruling(Verdict.CANCEL, reason)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"marketing_opt_out": True}, "opted_out"),
        ({"suppressed": frozenset({SuppressionReason.COMPLAINT})}, "complained"),
        ({"is_verified": False}, "unverified"),
    ],
)
def test_marketing_is_for_those_who_want_it_and_proved_their_address(
    changes: dict[str, Any], reason: str
) -> None:
    assert ruled(MARKETING, **changes) == Ruling(Verdict.CANCEL, reason)
    assert ruled(ACCOUNT, **changes).verdict is Verdict.SEND


def test_a_category_can_be_switched_off_but_not_what_is_owed_to_the_owner() -> None:
    off = frozenset(Category)
    assert ruled(LEARNING, switched_off=off) == Ruling(Verdict.CANCEL, "category_off")
    assert ruled(MARKETING, switched_off=off).reason == "category_off"
    for owed in (Category.ACCOUNT, Category.BILLING):
        assert ruled(Mail(owed, is_marketing=False), switched_off=off).verdict is Verdict.SEND


def test_the_weekly_limit_defers_until_the_oldest_of_them_is_a_week_old() -> None:
    sent = tuple(NOON - timedelta(days=days) for days in (6, 3, 1))
    deferred = ruled(MARKETING, marketing_sent=sent)
    assert deferred == Ruling(Verdict.DEFER, "weekly_limit", NOON + timedelta(days=1))
    assert ruled(MARKETING, marketing_sent=sent[1:]).verdict is Verdict.SEND
    assert ruled(LEARNING, marketing_sent=sent * 9).verdict is Verdict.SEND
    assert ruled(MARKETING, marketing_sent=(NOON - timedelta(days=8),) * 9).verdict is Verdict.SEND


def test_a_limit_of_none_puts_marketing_off() -> None:
    none = replace(LIMITS, per_week=0)
    assert ruled(MARKETING, limits=none).reason == "weekly_limit"


@pytest.mark.parametrize(
    ("zone", "now", "until"),
    [
        ("UTC", datetime(2026, 3, 10, 20, 59, tzinfo=UTC), None),
        ("UTC", datetime(2026, 3, 10, 21, tzinfo=UTC), datetime(2026, 3, 11, 8, tzinfo=UTC)),
        ("UTC", datetime(2026, 3, 10, 7, 59, tzinfo=UTC), datetime(2026, 3, 10, 8, tzinfo=UTC)),
        ("UTC", datetime(2026, 3, 10, 8, tzinfo=UTC), None),
        (
            "America/Los_Angeles",
            datetime(2026, 3, 10, 12, tzinfo=UTC),
            datetime(2026, 3, 10, 15, tzinfo=UTC),
        ),
        # The night in which the clocks of Berlin go forward has an hour less.
        (
            "Europe/Berlin",
            datetime(2026, 3, 28, 22, tzinfo=UTC),
            datetime(2026, 3, 29, 6, tzinfo=UTC),
        ),
        ("No/Such_Place", datetime(2026, 3, 10, 12, tzinfo=UTC), None),
    ],
)
def test_quiet_hours_are_the_recipients_own(
    zone: str, now: datetime, until: datetime | None
) -> None:
    assert quiet_until(zone, LIMITS, now=now) == until
    if until is not None:
        assert ruled(MARKETING, now=now, timezone=zone) == Ruling(
            Verdict.DEFER, "quiet_hours", until
        )
        assert ruled(ACCOUNT, now=now, timezone=zone).verdict is Verdict.SEND


def test_equal_hours_are_never_quiet() -> None:
    always = Limits(quiet_from=9, quiet_until=9, per_week=3)
    assert quiet_until("UTC", always, now=NOON.replace(hour=9)) is None


def test_what_will_never_go_is_not_put_off() -> None:
    night = NOON.replace(hour=23)
    assert ruled(MARKETING, now=night, marketing_opt_out=True).verdict is Verdict.CANCEL


@given(
    st.integers(1_700_000_000, 1_900_000_000).map(lambda at: datetime.fromtimestamp(at, UTC)),
    st.sampled_from(["UTC", "Pacific/Kiritimati", "Asia/Kathmandu", "America/St_Johns"]),
    st.integers(0, 23),
    st.integers(0, 23),
)
def test_a_deferral_ends_outside_of_the_quiet_hours_and_within_a_day(
    now: datetime, zone: str, start: int, end: int
) -> None:
    limits = Limits(start, end, 3)
    until = quiet_until(zone, limits, now=now)
    if until is not None:
        assert now <= until <= now + timedelta(hours=25)
        assert quiet_until(zone, limits, now=until) is None
