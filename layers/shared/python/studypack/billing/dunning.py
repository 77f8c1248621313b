"""The last reminder of a payment that goes on failing."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

from studypack.billing.events.printable import of_failing_invoice
from studypack.billing.models import Invoice, Subscription
from studypack.core.business_settings import get_business_settings
from studypack.core.jobs import Run
from studypack.notifications.models import EmailTemplate
from studypack.notifications.service import enqueue_email

SIZE = 200

_STILL_FAILING = text(
    """
    SELECT i.id, i.user_id, s.id AS subscription_id
      FROM payments.invoices i
      JOIN payments.subscriptions s ON s.id = i.subscription_id AND s.status = 'PAST_DUE'
     WHERE i.first_failed_at <= now() - make_interval(days => :days)
       AND i.status IN ('SENT', 'OVERDUE') AND i.user_id IS NOT NULL
       AND NOT EXISTS (SELECT FROM notifications.email_queue q
                        WHERE q.dedupe_key = 'PAYMENT_FAILED_FINAL:invoice:' || i.id)
     ORDER BY i.first_failed_at LIMIT :size FOR UPDATE OF i SKIP LOCKED
    """
)


def remind_finally(run: Run) -> None:
    """Queue one last mail for each invoice whose payment first failed longer ago than the setting
    `payment_failed_final_days` and fails still; once an invoice.
    """
    days = get_business_settings(None).payment_failed_final_days

    def batch(session: Session) -> int:
        rows = session.execute(_STILL_FAILING, {"days": days, "size": SIZE}).all()
        for row in rows:
            enqueue_email(
                session,
                row.user_id,
                EmailTemplate.PAYMENT_FAILED_FINAL,
                occasion=f"invoice:{row.id}",
                invoice_id=str(row.id),
                **of_failing_invoice(
                    session,
                    session.get_one(Invoice, row.id),
                    session.get_one(Subscription, row.subscription_id),
                ),
            )
        run.count("reminders", len(rows))
        return len(rows)

    run.in_batches(batch)
