"""Every hour: complete modules and courses of which an author took the last open item away."""

from studypack.core.jobs import Run, job
from studypack.courses.settling import Walk, settle_next


@job("settle_progress")
def handler(run: Run) -> None:
    """Complete what has nothing left to do, with all that follows."""
    walk = Walk()
    unsettled = run.in_batches_passing_over(
        lambda session, passed_over: settle_next(session, walk, passed_over=passed_over)
    )
    run.skip("unsettled", len(unsettled))
