"""What ends by itself when its time is over, set by set: grace, payment pages, invitations."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from studypack.core.business_settings import get_business_settings
from studypack.core.jobs import Run

SIZE = 500

_END_GRACE = text(
    """
    WITH over AS (
        SELECT s.id
          FROM payments.subscriptions s
          JOIN payments.customers c ON c.id = s.customer_id
         WHERE s.status = 'PAST_DUE' AND s.cancel_requested_at IS NULL
           AND coalesce(s.payment_failed_at, s.current_period_start)
               + make_interval(days => :grace_days) <= now()
         ORDER BY s.id LIMIT :size FOR UPDATE OF c, s SKIP LOCKED)
    UPDATE payments.subscriptions s
       SET status = 'EXPIRED', cancel_requested_at = now(), updated_at = now()
      FROM over WHERE s.id = over.id
    """
)
"""Its cancellation is owed to Stripe from then on (billing/owed.py)."""

_CLOSE_CHECKOUTS = text(
    """
    WITH stale AS (
        SELECT k.id
          FROM payments.checkouts k
          JOIN payments.customers c ON c.id = k.customer_id
         WHERE k.status = 'OPEN' AND k.expires_at <= now() - interval '10 minutes'
         ORDER BY k.expires_at LIMIT :size FOR UPDATE OF c, k SKIP LOCKED),
    closed AS (
        UPDATE payments.checkouts k SET status = 'EXPIRED', updated_at = now()
          FROM stale WHERE k.id = stale.id RETURNING k.id),
    canceled AS (
        UPDATE payments.purchases p
           SET status = 'CANCELED', status_reason = 'checkout_expired', updated_at = now()
          FROM closed WHERE p.checkout_id = closed.id AND p.status = 'PENDING' RETURNING p.id)
    SELECT count(*) AS closed, (SELECT count(*) FROM canceled) AS canceled FROM closed
    """
)
"""Nobody is asked: if it was paid after all, its event says so and counts."""

_LAPSE_INVITATIONS = text(
    """
    WITH lapsed AS (
        SELECT id FROM payments.seat_invitations
         WHERE expires_at <= now() AND accepted_at IS NULL AND revoked_at IS NULL
         ORDER BY expires_at LIMIT :size FOR UPDATE SKIP LOCKED)
    UPDATE payments.seat_invitations i SET revoked_at = i.expires_at
      FROM lapsed WHERE i.id = lapsed.id
    """
)
"""They hold a seat no longer."""


def end_grace(run: Run) -> None:
    """Give up subscriptions whose payment has failed for longer than the setting `grace_days`."""
    days = get_business_settings(None).grace_days

    def batch(session: Session) -> int:
        done = _changed(session.execute(_END_GRACE, {"grace_days": days, "size": SIZE}))
        run.count("subscriptions", done)
        return done

    _in_batches(run, batch)


def close_stale_checkouts(run: Run) -> None:
    """Close reservations whose payment page has closed, and cancel the purchases that wait for
    them.
    """

    def batch(session: Session) -> int:
        row = session.execute(_CLOSE_CHECKOUTS, {"size": SIZE}).one()
        run.count("checkouts", row.closed)
        run.count("purchases", row.canceled)
        return int(row.closed)

    _in_batches(run, batch)


def lapse_invitations(run: Run) -> None:
    """Take back invitations to seats that nobody accepted in time."""

    def batch(session: Session) -> int:
        done = _changed(session.execute(_LAPSE_INVITATIONS, {"size": SIZE}))
        run.count("invitations", done)
        return done

    _in_batches(run, batch)


def _in_batches(run: Run, batch: Any) -> None:
    run.complete = False
    run.in_batches(batch)


def _changed(result: Any) -> int:
    return int(result.rowcount)
