"""Every minute: process the events of Stripe's that have not taken effect yet."""

from studypack.billing import inbox
from studypack.core.jobs import Run, job


@job("retry_stripe_events")
def handler(run: Run) -> None:
    """Try events again that failed or were cut off, each after a longer while."""
    run.skip("waiting_for_somebody", inbox.retry_due(run))
