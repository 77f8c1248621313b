"""Every minute: ask Stripe for the refunds and cancellations that were promised and not made."""

from studypack.billing import owed
from studypack.core.jobs import Run, job


@job("settle_with_stripe")
def handler(run: Run) -> None:
    """Do what a crash or an outage left between our promise and Stripe."""
    run.skip("refused", owed.settle_all(run))
