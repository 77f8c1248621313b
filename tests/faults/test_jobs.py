"""Scheduled jobs killed at every step, run several at once, and stopped at their deadline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import count

import pytest

from studypack.core.jobs import STOP_BEFORE_MILLISECONDS
from tests.faults import audit, classroom
from tests.faults.classroom import Books, Learner
from tests.faults.client import at_once, calling
from tests.faults.figures import Figures
from tests.faults.gates import gate
from tests.faults.processes import run_job, run_jobs, serving, start_job
from tests.faults.victim import JOBS, Orders

MINUTE = 60_000


def _end(url: str, orders: Orders, learners: Sequence[Learner], row: Figures) -> None:
    """The next scheduled runs; then every exam must have come to its end, once."""
    run_jobs(orders, ("submit_expired_exams", "score_exams"))
    sessions = [learner.session_id for learner in learners]
    with audit.looking(url) as database:
        row.add(audit.unfinished(database, sessions))
        row.add(audit.submissions(database, sessions, scored=True))
        row.add(audit.left_behind(database))


@pytest.mark.parametrize(
    ("job", "number", "batch", "stride"),
    [("score_exams", 60, 3, 1), ("submit_expired_exams", 12, 2, 3)],
)
def test_a_job_killed_at_any_moment_leaves_nothing_half_done(
    url: str,
    orders: Orders,
    learners: list[Learner],
    figures: Callable[..., Figures],
    job: str,
    number: int,
    batch: int,
    stride: int,
) -> None:
    row = figures(f"kill -9 in the middle of {job}")
    used = learners[:number]
    (classroom.submit if job == "score_exams" else classroom.let_expire)(url, used)
    sessions = [learner.session_id for learner in used]
    with audit.looking(url) as database:
        for moment in count(1, stride):
            if run_job(job, replace(orders, die_at=moment, batch=batch)) is not None:
                break
            row.tries += 1
            row.add(audit.left_behind(database))
            row.add(audit.whole_or_nothing(database, sessions))
    assert row.tries > 10, "a run has more moments than that"
    _end(url, orders, used, row)
    row.hold()


@pytest.mark.quick
@pytest.mark.parametrize("job", JOBS)
def test_runs_of_a_job_that_overlap_share_the_work(
    url: str,
    orders: Orders,
    learners: list[Learner],
    figures: Callable[..., Figures],
    whole: bool,
    job: str,
) -> None:
    runs = 4 if whole else 2
    row = figures(f"{runs} runs of {job} at once", tries=runs)
    used = learners[: 60 if whole else 8]
    (classroom.submit if job == "score_exams" else classroom.let_expire)(url, used)
    with gate(url, "learning.exam_sessions", at_commit=False) as closed:
        under_way = [start_job(job, replace(orders, batch=2)) for _ in range(runs)]
        closed.wait_for(runs)  # each holds a batch of its own
        closed.open()
        reports = [each.finish() for each in under_way]
    assert None not in reports
    assert sum(report["processed"] for report in reports if report) == len(used)
    _end(url, orders, used, row)
    row.hold()


@pytest.mark.quick
def test_learners_and_two_runs_that_submit_the_same_exams_submit_each_once(
    url: str,
    orders: Orders,
    learners: list[Learner],
    figures: Callable[..., Figures],
    whole: bool,
) -> None:
    used = learners[: 60 if whole else 6]
    row = figures("learners and two schedules end the same exams at once", tries=len(used))
    books = Books()
    classroom.let_expire(url, used)

    def submit(port: int, learner: Learner) -> None:
        with calling(port, learner.token) as client:
            books.finalize(learner, client)

    with serving(orders) as servers:
        jobs = [
            start_job("submit_expired_exams", replace(orders, batch=3)),
            start_job("submit_expired_exams", replace(orders, batch=3)),
        ]
        at_once([partial(submit, servers.port, learner) for learner in used])
        assert all(job.finish() for job in jobs)
    row.count_all(books.answers)
    assert books.submitted == {learner.session_id for learner in used}
    _end(url, orders, used, row)
    row.hold()


@pytest.mark.quick
def test_a_job_whose_time_runs_out_stops_between_batches_and_the_next_run_goes_on(
    url: str, orders: Orders, learners: list[Learner], figures: Callable[..., Figures]
) -> None:
    row = figures("a handler stopped at its deadline: time runs out", tries=1)
    used = learners[:20]
    classroom.submit(url, used)
    time_left = (MINUTE, MINUTE, MINUTE, STOP_BEFORE_MILLISECONDS)
    report = run_job("score_exams", replace(orders, batch=5, milliseconds=time_left))
    assert report is not None
    assert (report["processed"], report["complete"]) == (15, False)
    with audit.looking(url) as database:
        row.add(audit.submissions(database, [learner.session_id for learner in used]))
    _end(url, orders, used, row)
    row.hold()


@pytest.mark.quick
@pytest.mark.parametrize("job", JOBS)
def test_a_job_killed_at_its_deadline_loses_its_batch_only_until_the_next_run(
    url: str, orders: Orders, learners: list[Learner], figures: Callable[..., Figures], job: str
) -> None:
    row = figures("a handler stopped at its deadline: SIGKILL in a batch", tries=1)
    used = learners[:8]
    (classroom.submit if job == "score_exams" else classroom.let_expire)(url, used)
    with (
        audit.looking(url) as database,
        gate(url, "learning.exam_sessions", at_commit=False) as closed,
    ):
        stopped = start_job(job, replace(orders, batch=4))
        closed.wait_for(1)
        stopped.kill()  # what Lambda does when the time is up
        closed.open()
        row.add(audit.left_behind(database))
        row.add(audit.whole_or_nothing(database, [learner.session_id for learner in used]))
    _end(url, orders, used, row)
    row.hold()
