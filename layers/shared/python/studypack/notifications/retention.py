"""What of the queue is thrown away, and when."""

from __future__ import annotations

from studypack.core.jobs import Run, delete_in_batches

_BLANK_LINKS = """
    UPDATE notifications.email_queue SET data = data - 'link' WHERE id IN (
        SELECT id FROM notifications.email_queue
         WHERE status = 'PENDING' AND scheduled_for < now() - interval '14 days' AND data ? 'link'
         LIMIT :size FOR UPDATE SKIP LOCKED)
"""


def blank_expired_links(run: Run) -> None:
    """Take the links out of mails that were never sent: their tokens have long expired."""
    delete_in_batches(run, "blanked_links", _BLANK_LINKS)
