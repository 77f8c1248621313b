"""Every minute: submit the exams whose time ran out."""

from studypack.core.database import transaction
from studypack.core.jobs import Run, job
from studypack.exams.issuing import sign_unsigned, signing_key
from studypack.exams.submission import submit_expired

BATCH = 20
RECEIPTS = 200
"""A run: what is left over waits a minute."""


@job("submit_expired_exams")
def handler(run: Run) -> None:
    """Submit and score raw every session past its deadline; sign receipts that wait for it."""
    run.in_batches(lambda session: submit_expired(session, size=BATCH))
    key = signing_key()
    if key is not None and run.has_time():
        with transaction() as session:
            run.count("signed", sign_unsigned(session, key, size=RECEIPTS))
