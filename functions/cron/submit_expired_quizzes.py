"""Every five minutes: submit the quiz attempts whose time ran out."""

from studypack.core.jobs import Run, job
from studypack.quizzes.submission import submit_expired


@job("submit_expired_quizzes")
def handler(run: Run) -> None:
    """Submit and score every attempt past its deadline, from what was saved in time."""
    ungradable = run.in_batches_passing_over(
        lambda session, passed_over: submit_expired(session, passed_over=passed_over)
    )
    run.skip("skipped", len(ungradable))
