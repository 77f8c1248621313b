"""Every night: make the coming months' partitions of the analytics events."""

from studypack.activity.partitions import MONTHS_AHEAD, ensure_partitions
from studypack.core.database import transaction
from studypack.core.jobs import Run, job


@job("maintain_partitions")
def handler(run: Run) -> None:
    """Make sure that the months ahead have partitions, so that nothing falls into the default
    one.
    """
    with transaction() as session:
        run.processed = ensure_partitions(session, months_ahead=MONTHS_AHEAD)
    run.complete = True
