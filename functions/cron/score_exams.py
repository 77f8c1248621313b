"""Every minute: scale the scores of submitted exams."""

from studypack.core.jobs import Run, job
from studypack.exams.scaling import score_submitted

BATCH = 250


@job("score_exams")
def handler(run: Run) -> None:
    """Estimate ability and scaled score of every submitted session that awaits it."""
    unscorable = run.in_batches_passing_over(
        lambda session, passed_over: score_submitted(session, size=BATCH, passed_over=passed_over)
    )
    run.skip("skipped", len(unscorable))
