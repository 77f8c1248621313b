"""What Stripe is owed: refunds that were promised and cancellations that were decided here.

Promises are rows, written in the transaction that decides; Stripe is asked after the commit, and by
the cron `settle_with_stripe` for what a crash left. This module opens its short transactions itself
and is never called within one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from sqlalchemy import TextClause, exists, select, text
from sqlalchemy.orm import Session

from studypack.billing import refunds
from studypack.billing.events.subscriptions import apply_answer
from studypack.billing.events.told import Unexplained, Work
from studypack.billing.models import Customer, Refund, RefundStatus, Subscription
from studypack.billing.truth import Truth, with_truth
from studypack.core.database import transaction
from studypack.core.errors import AppError
from studypack.core.jobs import Run
from studypack.core.telemetry import get_logger
from studypack.identity.models import User
from studypack.integrations.stripe import call

_OWED: Final = {
    "refund": text(
        """
        SELECT id FROM payments.refunds
         WHERE status = 'PENDING' AND stripe_refund_id IS NULL AND id > :after
         ORDER BY id LIMIT :size
        """
    ),
    "cancellation": text(
        """
        SELECT id FROM payments.subscriptions
         WHERE cancel_requested_at IS NOT NULL AND ended_at IS NULL AND id > :after
         ORDER BY id LIMIT :size
        """
    ),
}
_OF_ACCOUNTS_GONE: Final = text(
    """
    SELECT s.id
      FROM payments.subscriptions s
      LEFT JOIN auth.users u ON u.id = s.user_id
     WHERE s.status IN ('TRIALING', 'ACTIVE', 'PAST_DUE', 'PAUSED') AND s.ended_at IS NULL
       AND (u.id IS NULL OR u.deleted_at IS NOT NULL) AND s.id > :after
     ORDER BY s.id LIMIT :size
    """
)
BATCH: Final = 20


def settle_at_once(refund_ids: Iterable[UUID], subscription_ids: Iterable[UUID]) -> None:
    """Try once, after the commit of what promised them; the sweep tries what fails here."""
    for refund_id in refund_ids:
        _try(refund_id, "refund")
    for subscription_id in subscription_ids:
        _try(subscription_id, "cancellation")


def _try(id: UUID, what: str) -> bool:
    try:
        if what == "refund":
            return _is_with_stripe(refunds.settle(id))
        cancel_at_stripe(id)
    except Exception as error:
        # Whatever it is, it keeps no other from being done, and the next run tries it again.
        known = isinstance(error, (AppError, Unexplained))
        code = error.code if isinstance(error, AppError) else "unexplained"
        get_logger().warning(
            "stripe is owed",
            extra={"what": what, "id": str(id), "code": code},
            exc_info=None if known else error,
        )
        return False
    return True


def _is_with_stripe(refund: Refund) -> bool:
    return refund.stripe_refund_id is not None or refund.status is not RefundStatus.PENDING


def cancel_at_stripe(subscription_id: UUID) -> None:
    """Cancel a subscription at Stripe now, if that is owed; again changes nothing.

    One that was given up because its payment failed is looked at first: it may have been paid in
    the meantime. Raises Unavailable (`payments_unavailable`), Conflict (`payment_refused`).
    """
    with transaction() as session:
        stripe_id = _owed(session, subscription_id)
    if stripe_id is None:
        return
    if _take_over(
        subscription_id, call(lambda stripe: stripe.v1.subscriptions.retrieve(stripe_id))
    ):
        answer = call(lambda stripe: stripe.v1.subscriptions.cancel(stripe_id, {"prorate": False}))
        _take_over(subscription_id, answer)


def _take_over(subscription_id: UUID, answer: Any) -> bool:
    """Bring our row up to Stripe's answer; whether its cancellation is owed still."""
    document = answer.to_dict(for_json=True)

    def apply(session: Session, truth: Truth) -> bool:
        owner = _lock_owner(session, subscription_id)
        apply_answer(Work(session, owner, truth), document)
        return _owed(session, subscription_id) is not None

    return with_truth(apply)


def _owed(session: Session, subscription_id: UUID) -> str | None:
    """Stripe's id of a subscription whose cancellation is owed still: it was decided, or nobody has
    the account any more.
    """
    _lock_owner(session, subscription_id)
    is_there = exists().where(User.id == Subscription.user_id, User.deleted_at.is_(None))
    return session.scalars(
        select(Subscription.stripe_subscription_id).where(
            Subscription.id == subscription_id,
            Subscription.cancel_requested_at.is_not(None) | ~is_there,
            Subscription.ended_at.is_(None),
        )
    ).one_or_none()


def _lock_owner(session: Session, subscription_id: UUID) -> Customer:
    return session.scalars(
        select(Customer)
        .join(Subscription, Subscription.customer_id == Customer.id)
        .where(Subscription.id == subscription_id)
        .with_for_update(of=Customer)
    ).one()


def settle_all(run: Run) -> int:
    """Ask Stripe for everything that is owed; how much it refused or could not do now, which is
    left to the next run. Two runs at once ask for the same and get it once.
    """
    return sum(_settle_each(run, what, statement) for what, statement in _OWED.items())


def end_of_accounts_gone(run: Run) -> int:
    """Cancel the subscriptions of deleted accounts: nobody can use them, nor end them. How many
    could not be cancelled now.
    """
    return _settle_each(run, "cancellation", _OF_ACCOUNTS_GONE)


def _settle_each(run: Run, what: str, statement: TextClause) -> int:
    refused, after = 0, UUID(int=0)
    run.complete = False
    while run.has_time() and not run.complete:
        with transaction() as session:
            ids = session.execute(statement, {"after": after, "size": BATCH}).scalars().all()
        run.batches += 1
        run.complete = not ids
        for id in ids:
            if not run.has_time():
                run.complete = False
                return refused
            after = id
            if _try(id, what):
                run.processed += 1
                run.count(f"{what}s", 1)
            else:
                refused += 1
    return refused
