"""Every hour: hold what we know against what Stripe knows."""

from studypack.billing import owed, reconciling
from studypack.core.jobs import Run, job


@job("reconcile_stripe")
def handler(run: Run) -> None:
    """Backfill events that never reached us, repair subscriptions that differ, and end those of
    deleted accounts.
    """
    if not reconciling.is_set_up():
        run.complete = True
        return
    run.skip("events_undelivered", reconciling.backfill(run))
    if run.complete:
        run.skip("unexplained", reconciling.compare_subscriptions(run))
    if run.complete:
        run.skip("refused", owed.end_of_accounts_gone(run))
