"""Every minute: submit the exams whose time ran out."""

from studypack.core.jobs import Run, job
from studypack.exams.submission import submit_expired

BATCH = 20


@job("submit_expired_exams")
def handler(run: Run) -> None:
    """Submit and score raw every session past its deadline."""
    run.in_batches(lambda session: submit_expired(session, size=BATCH))
