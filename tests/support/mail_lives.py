"""People whom mails are decided for, put into the database as of a moment far from the sample
content's, and what was decided.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from studypack.billing.models import Interval, Plan, SubscriptionStatus
from studypack.core.business_settings import BusinessSettings
from studypack.core.database import transaction
from studypack.core.ids import uuid7
from studypack.lifecycle.cancelling import Cancellation
from studypack.lifecycle.moment import Moment
from studypack.lifecycle.service import CANCELLATIONS, TRIGGERS
from studypack.lifecycle.trigger import Trigger

NOW = datetime(2031, 3, 5, 12, 0, tzinfo=UTC)
"""A Wednesday."""
LESSON = {
    "course_title": "Anatomy",
    "lesson_title": "Bones",
    "lesson_id": "0199f3a0-5b1c-7c1e-9f00-3f1f0c6a8d11",
}
SETTINGS = BusinessSettings.model_validate({"journey_lesson": LESSON})


def execute(sql: str, **values: Any) -> None:
    with transaction() as session:
        session.execute(text(sql), values)


def rows(sql: str, **values: Any) -> list[Any]:
    with transaction() as session:
        return list(session.execute(text(sql), values).all())


def person(
    *,
    signed_up: datetime,
    verified: bool = True,
    opted_out: bool = False,
    active: bool = True,
    override: bool = False,
    timezone: str = "UTC",
    last_login: datetime | None = None,
) -> UUID:
    """An account as sign-up would have left it then."""
    id = uuid7(signed_up)
    execute(
        "INSERT INTO auth.users (id, email, email_verified_at, timezone, marketing_opt_out,"
        " is_active, access_override, last_login_at, created_at)"
        " VALUES (:id, :email, :verified, :timezone, :opted_out, :active, :override, :login, :at)",
        id=id,
        email=f"{id.hex}@example.com",
        verified=signed_up if verified else None,
        timezone=timezone,
        opted_out=opted_out,
        active=active,
        override=override,
        login=last_login or signed_up,
        at=signed_up,
    )
    return id


def event(user_id: UUID | None, name: str, at: datetime, **payload: Any) -> UUID:
    """An event as the app would have recorded it then."""
    id = uuid7(at)
    execute(
        "INSERT INTO activity.analytics_events (id, user_id, event_name, event_time, payload)"
        " VALUES (:id, :user, :name, :at, CAST(:payload AS jsonb))",
        id=id,
        user=user_id,
        name=name,
        at=at,
        payload=json.dumps(payload),
    )
    return id


def video() -> dict[str, str]:
    """What an event says of the first video of the sample content."""
    [row] = rows(
        "SELECT l.id, m.course_id FROM learning.lessons l"
        " JOIN learning.modules m ON m.id = l.module_id"
        " WHERE l.kind = 'VIDEO' AND l.is_free ORDER BY l.id LIMIT 1"
    )
    return {"lesson_id": str(row.id), "course_id": str(row.course_id)}


def module(place: int = 0, **changes: Any) -> dict[str, Any]:
    """What an event says of a module of the sample content."""
    [row] = rows("SELECT id FROM learning.modules ORDER BY id OFFSET :place LIMIT 1", place=place)
    return {"module_id": str(row.id), "course_percent": 25, **changes}


def subscribe(user_id: UUID, *, ends: datetime, **changes: Any) -> UUID:
    """A subscription to a product that opens courses, for a month until `ends`."""
    from sqlalchemy import select

    from studypack.billing.features import Feature
    from studypack.billing.models import Product, Subscription
    from tests.support import holdings

    found = holdings.product(Feature.COURSES, kind=holdings.ProductKind.SUBSCRIPTION)
    with transaction() as session:
        product = session.scalars(select(Product).where(Product.id == found)).one()
        made = Subscription(
            user_id=user_id,
            customer_id=holdings.customer(session, user_id).id,
            product_id=product.id,
            stripe_subscription_id=f"sub_{uuid4().hex[:12]}",
            stripe_price_id="price_x",
            plan=Plan.PRO,
            interval=Interval.MONTHLY,
            amount=4_900,
            currency="usd",
            **{
                "status": SubscriptionStatus.ACTIVE,
                "started_at": ends - timedelta(days=30),
                "current_period_start": ends - timedelta(days=30),
                "current_period_end": ends,
                **changes,
            },
        )
        session.add(made)
        session.flush()
        return made.id


def moment(now: datetime = NOW, settings: BusinessSettings = SETTINGS) -> Moment:
    return Moment(now, settings)


def decide(now: datetime = NOW, settings: BusinessSettings = SETTINGS) -> int:
    """Run all triggers; how many decisions were made."""
    return sum(decide_by(trigger, now, settings) for trigger in TRIGGERS)


def decide_by(trigger: Trigger, now: datetime = NOW, settings: BusinessSettings = SETTINGS) -> int:
    with transaction() as session:
        return trigger.decide(session, Moment(now, settings)).decisions


def cancel(now: datetime = NOW, *which: Cancellation) -> int:
    """Run all cancellations; how many mails were taken back."""
    with transaction() as session:
        return sum(each.cancel(session, moment(now)) for each in which or CANCELLATIONS)


def decisions(user_id: UUID) -> list[tuple[str, str, str]]:
    """(template, verdict, reason), oldest first."""
    return [
        (row.template, row.verdict, row.reason)
        for row in rows(
            "SELECT * FROM notifications.email_decisions WHERE user_id = :id"
            " ORDER BY decided_at, template, verdict DESC",
            id=user_id,
        )
    ]


def queue(user_id: UUID) -> list[Any]:
    """The rows of the queue, oldest first."""
    return rows(
        "SELECT * FROM notifications.email_queue WHERE user_id = :id ORDER BY created_at, template",
        id=user_id,
    )
