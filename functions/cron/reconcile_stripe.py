"""Every hour: hold what we know against what Stripe knows."""

from studypack.billing import reconciling
from studypack.core.jobs import Run, job


@job("reconcile_stripe")
def handler(run: Run) -> None:
    """Backfill events that never reached us, and repair subscriptions that differ."""
    if not reconciling.is_set_up():
        run.complete = True
        return
    run.skip("events_undelivered", reconciling.backfill(run))
    if run.complete:
        run.skip("unexplained", reconciling.compare_subscriptions(run))
