"""Every hour: the last mail about payments that go on failing."""

from studypack.billing import dunning
from studypack.core.jobs import Run, job


@job("remind_failed_payments")
def handler(run: Run) -> None:
    """Queue PAYMENT_FAILED_FINAL, three days after the first failure, once an invoice."""
    dunning.remind_finally(run)
