"""Every minute: end what has run out: grace, payment pages, invitations to seats."""

from studypack.billing import expiring
from studypack.core.jobs import Run, job


@job("expire_access")
def handler(run: Run) -> None:
    """Give up subscriptions after their grace; close checkouts and invitations past their time."""
    expiring.end_grace(run)
    expiring.close_stale_checkouts(run)
    expiring.lapse_invitations(run)
