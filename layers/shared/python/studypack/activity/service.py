"""Record facts in the caller's transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from studypack.activity.models import AnalyticsEvent, UserActivity, XpLog, XpSource
from studypack.activity.xp import XP_AMOUNTS
from studypack.core.ids import derived_uuid7, uuid7

RESERVED_EVENTS: Final = frozenset(
    {
        "checkout_started",
        "exam_started",
        "exam_submitted",
        "module_completed",
        "module_reset",
        "onboarding_completed",
        "payment_failed",
        "purchase_completed",
        "quiz_passed",
        "refund_completed",
        "signup_completed",
        "subscription_canceled",
        "subscription_started",
        "video_1_completed",
        "video_1_started",
    }
)
"""Events of our own: mails and the owner's figures rest on them, so that nobody else may record
them. Whatever takes events from browsers refuses these names.
"""


def grant_xp(
    session: Session, user_id: UUID, source: XpSource, reference_id: UUID, *, now: datetime
) -> None:
    """Grant the source's amount once per reference; again changes nothing."""
    statement = insert(XpLog).values(
        id=uuid7(now),
        user_id=user_id,
        source_type=source,
        reference_id=reference_id,
        xp_amount=XP_AMOUNTS[source],
        created_at=now,
    )
    session.execute(statement.on_conflict_do_nothing())


def record_activity(
    session: Session, user_id: UUID, kind: str, description: str, *, now: datetime, **metadata: Any
) -> None:
    """Add a line to the learner's feed."""
    session.execute(
        insert(UserActivity).values(
            id=uuid7(now),
            user_id=user_id,
            type=kind,
            description=description,
            activity_metadata=metadata,
            created_at=now,
        )
    )


def record_event(
    session: Session,
    name: str,
    *,
    now: datetime,
    user_id: UUID | None = None,
    exam_session_id: UUID | None = None,
    **payload: Any,
) -> None:
    """Add an analytics event of our own, e.g. `signup_completed`."""
    session.execute(
        insert(AnalyticsEvent).values(
            id=uuid7(now),
            user_id=user_id,
            exam_session_id=exam_session_id,
            event_name=name,
            event_time=now,
            payload=payload,
        )
    )


def record_event_once(
    session: Session,
    name: str,
    reference: UUID,
    *,
    now: datetime,
    user_id: UUID | None = None,
    **payload: Any,
) -> None:
    """Add an analytics event of our own that there is one of for each `reference` (the version 7 id
    of what it is about); again changes nothing.
    """
    statement = insert(AnalyticsEvent).values(
        id=derived_uuid7(reference, name),
        user_id=user_id,
        event_name=name,
        event_time=now,
        payload=payload,
    )
    session.execute(statement.on_conflict_do_nothing())


def record_first_event(
    session: Session,
    name: str,
    *,
    user_id: UUID,
    now: datetime,
    client_session_id: str | None = None,
    **payload: Any,
) -> bool:
    """Add an analytics event of our own that a user has only one of; False when there is one.

    Others wait who would add the same: it comes last in its transaction.
    """
    turn = func.hashtextextended(f"{name}:{user_id}", 0)
    session.execute(select(func.pg_advisory_xact_lock(turn)))
    # Only now: a statement sees what was committed when it began, not when it got its turn.
    earlier = select(AnalyticsEvent.id).where(
        AnalyticsEvent.user_id == user_id, AnalyticsEvent.event_name == name
    )
    if session.scalar(earlier.limit(1)) is not None:
        return False
    session.execute(
        insert(AnalyticsEvent).values(
            id=uuid7(now),
            user_id=user_id,
            client_session_id=client_session_id,
            event_name=name,
            event_time=now,
            payload=payload,
        )
    )
    return True
