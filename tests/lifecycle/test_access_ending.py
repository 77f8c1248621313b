"""What is told before something that was paid for ends."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from studypack.core.database import transaction
from studypack.lifecycle.access_ending import tell_access_ending
from tests.support import holdings
from tests.support import mail_lives as life

pytestmark = pytest.mark.usefixtures("database_url")

DAY = timedelta(days=1)


def tell(now: datetime) -> int:
    with transaction() as session:
        return tell_access_ending(session, life.moment(now))


def lines(user_id: UUID) -> list[Any]:
    return life.rows(
        "SELECT type, message, reference, data FROM notifications.notifications"
        " WHERE user_id = :id ORDER BY id",
        id=user_id,
    )


@pytest.fixture
def now() -> datetime:
    return holdings.database_time()


@pytest.fixture
def product() -> Any:
    return holdings.product()


@pytest.mark.parametrize(("days_left", "told"), [(6.9, 1), (7.1, 0), (-0.1, 0)])
def test_a_window_is_told_a_week_before_it_ends_and_once(
    now: datetime, product: Any, days_left: float, told: int
) -> None:
    user = life.person(signed_up=now)
    bought = holdings.purchase(user, product)
    life.execute(
        "UPDATE payments.purchases SET access_end = :end WHERE id = :id",
        end=now + days_left * DAY,
        id=bought,
    )

    assert (tell(now), tell(now)) == (told, 0)
    assert len(lines(user)) == told
    if told:
        [line] = lines(user)
        assert line.type == "ACCESS_ENDING"
        assert line.reference.startswith(f"purchase:{bought}:")
        assert line.data["product_name"] in line.message


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"cancel_at_period_end": True}, 1),
        ({"cancel_at_period_end": False}, 0),
        ({"cancel_at_period_end": True, "is_duplicate": True}, 0),
    ],
)
def test_a_subscription_is_told_of_only_when_it_will_not_renew(
    now: datetime, product: Any, changes: dict[str, Any], told: int
) -> None:
    user = life.person(signed_up=now)
    holdings.subscription(user, product, days_left=3, **changes)

    assert tell(now) == told


def test_what_was_bought_anew_goes_on(now: datetime, product: Any) -> None:
    user = life.person(signed_up=now)
    for days in (3, 90):
        bought = holdings.purchase(user, product)
        life.execute(
            "UPDATE payments.purchases SET access_end = :end WHERE id = :id",
            end=now + days * DAY,
            id=bought,
        )

    assert tell(now) == 0


def test_an_account_that_is_closed_is_told_nothing(now: datetime, product: Any) -> None:
    user = life.person(signed_up=now)
    holdings.subscription(user, product, days_left=3, cancel_at_period_end=True)
    life.execute("UPDATE auth.users SET is_active = false WHERE id = :id", id=user)

    assert tell(now) == 0


def test_what_ends_is_found_by_an_index(database_url: str) -> None:
    with transaction() as session:
        session.execute(text("SET LOCAL enable_seqscan = off"))
        plan = session.scalars(
            text(
                "EXPLAIN SELECT id FROM payments.purchases WHERE status = 'COMPLETED'"
                " AND access_end > now() AND access_end <= now() + interval '7 days'"
            )
        ).all()

    assert any("ix_purchases_ending" in line for line in plan), plan
