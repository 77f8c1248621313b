"""How a test of exams under a fault ends: everything runs, then the books are held against it."""

from __future__ import annotations

from collections.abc import Sequence

from tests.faults import audit
from tests.faults.classroom import Books, Learner
from tests.faults.figures import Figures
from tests.faults.processes import run_jobs
from tests.faults.victim import Orders


def end(url: str, orders: Orders, books: Books, learners: Sequence[Learner], row: Figures) -> None:
    """Everything that should end these exams runs; then the database is held against the books."""
    run_jobs(orders)
    with audit.looking(url) as database:
        row.add(audit.responses(database, books))
        row.add(audit.submissions(database, books.submitted, scored=True))
        row.add(audit.unfinished(database, [learner.session_id for learner in learners]))
        row.add(audit.left_behind(database))
    row.count_all(books.answers)
