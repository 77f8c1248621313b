"""Every minute: submit the exams whose time ran out."""

from uuid import UUID

from sqlalchemy.orm import Session

from studypack.core.jobs import Run, job
from studypack.exams.issuing import sign_unsigned, signing_key
from studypack.exams.submission import submit_next_expired

RECEIPTS = 200


@job("submit_expired_exams")
def handler(run: Run) -> None:
    """Submit and score raw every session past its deadline; sign receipts that wait for it."""
    ungradable = run.in_batches_passing_over(
        lambda session, passed_over: submit_next_expired(session, passed_over=passed_over)
    )
    run.skip("skipped", len(ungradable))
    key = signing_key()
    if key is None:
        return

    def sign(session: Session, passed_over: set[UUID]) -> int:
        signed = sign_unsigned(session, key, size=RECEIPTS, passed_over=passed_over)
        run.count("signed", signed)
        return signed

    changed = run.in_batches_passing_over(sign)
    run.skip("unsignable", len(changed))
