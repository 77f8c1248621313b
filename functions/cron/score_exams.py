"""Every minute: scale the scores of submitted exams."""

from studypack.core.jobs import Run, job
from studypack.exams.scaling import score_submitted

BATCH = 250


@job("score_exams")
def handler(run: Run) -> None:
    """Estimate ability and scaled score of every submitted session that awaits it."""
    run.in_batches(lambda session: score_submitted(session, size=BATCH))
