"""Every hour: remove what has served its time."""

from studypack.accounts.retention import purge_expired_credentials
from studypack.core.idempotency import purge_old_answers
from studypack.core.jobs import Run, job
from studypack.notifications.retention import blank_expired_links


@job("purge_expired")
def handler(run: Run) -> None:
    """Delete expired sessions, links, throttles and stored answers of repeated requests."""
    purge_expired_credentials(run)
    purge_old_answers(run)
    blank_expired_links(run)
