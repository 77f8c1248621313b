"""Every hour: remove what has served its time."""

from studypack.accounts.retention import purge_expired_credentials
from studypack.billing.inbox import purge_old_contents
from studypack.core.audit import purge_old_acts
from studypack.core.idempotency import purge_old_answers
from studypack.core.jobs import Run, job
from studypack.courses.asset_uploads import give_up_pending
from studypack.courses.mux_inbox import purge_old_events
from studypack.notifications.retention import blank_expired_links, purge_told


@job("purge_expired")
def handler(run: Run) -> None:
    """Delete expired sessions, links, throttles, stored answers of repeated requests, and what was
    told, sent or noted in the audit log long ago; blank old events of Stripe's, forget those of
    Mux's; give up files of lessons that never came.
    """
    purge_expired_credentials(run)
    purge_old_answers(run)
    blank_expired_links(run)
    purge_told(run)
    purge_old_contents(run)
    purge_old_events(run)
    give_up_pending(run)
    purge_old_acts(run)
