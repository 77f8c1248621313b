"""What of mails and notifications is thrown away, and when."""

from __future__ import annotations

from typing import Final

from studypack.core.business_settings import get_business_settings
from studypack.core.jobs import Run, delete_in_batches

SHORTEST_MEMORY_DAYS: Final = 90
"""A trigger looks back at most 60 days: while it does, the queue and the decisions must remember an
occasion, or it would be decided on again.
"""

_BLANK_LINKS = """
    UPDATE notifications.email_queue SET data = data - 'link' WHERE id IN (
        SELECT id FROM notifications.email_queue
         WHERE status = 'PENDING' AND scheduled_for < now() - interval '14 days' AND data ? 'link'
         LIMIT :size FOR UPDATE SKIP LOCKED)
"""


def blank_expired_links(run: Run) -> None:
    """Take the links out of mails that were never sent: their tokens have long expired."""
    delete_in_batches(run, "blanked_links", _BLANK_LINKS)


# Ids carry their time, so the primary key finds what is old.
_OLD_NOTIFICATIONS = """
    DELETE FROM notifications.notifications WHERE id IN (
        SELECT id FROM notifications.notifications
         WHERE id < public.smallest_uuid7(now() - make_interval(days => :days))
         ORDER BY id LIMIT :size FOR UPDATE SKIP LOCKED)
"""
_OLD_MAILS = """
    DELETE FROM notifications.email_queue WHERE id IN (
        SELECT id FROM notifications.email_queue
         WHERE id < public.smallest_uuid7(now() - make_interval(days => :days))
           AND status <> 'PENDING'
         ORDER BY id LIMIT :size FOR UPDATE SKIP LOCKED)
"""
_OLD_DECISIONS = """
    DELETE FROM notifications.email_decisions WHERE id IN (
        SELECT id FROM notifications.email_decisions
         WHERE decided_at < now() - make_interval(days => :days)
         ORDER BY decided_at LIMIT :size FOR UPDATE SKIP LOCKED)
"""
# The row stays: how many mails went out, and what became of them, without whom they went to.
_BLANK_ADDRESSES = """
    UPDATE notifications.email_logs SET to_address = NULL, subject = '' WHERE id IN (
        SELECT id FROM notifications.email_logs
         WHERE sent_at < now() - make_interval(days => :days) AND to_address IS NOT NULL
         ORDER BY sent_at LIMIT :size FOR UPDATE SKIP LOCKED)
"""


def purge_told(run: Run) -> None:
    """Delete old notifications, finished mails and decisions; blank the addresses of old logs."""
    settings = get_business_settings(None)
    log_days = settings.email_log_days
    mail_days = max(log_days, SHORTEST_MEMORY_DAYS)
    decision_days = max(settings.email_decision_days, SHORTEST_MEMORY_DAYS)
    delete_in_batches(run, "notifications", _OLD_NOTIFICATIONS, days=settings.notification_days)
    delete_in_batches(run, "blanked_addresses", _BLANK_ADDRESSES, days=log_days)
    delete_in_batches(run, "mails", _OLD_MAILS, days=mail_days)
    delete_in_batches(run, "decisions", _OLD_DECISIONS, days=decision_days)
