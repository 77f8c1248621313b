"""Every five minutes: decide which mails people get because of what they did, or didn't."""

from collections.abc import Callable
from functools import partial

from sqlalchemy.orm import Session

from studypack.core.business_settings import get_business_settings
from studypack.core.database import transaction
from studypack.core.jobs import Run, job
from studypack.lifecycle import broadcasts
from studypack.lifecycle.access_ending import tell_access_ending
from studypack.lifecycle.cancelling import Cancellation
from studypack.lifecycle.moment import Moment, database_time
from studypack.lifecycle.service import CANCELLATIONS, TRIGGERS
from studypack.lifecycle.trigger import Trigger


@job("enqueue_emails")
def handler(run: Run) -> None:
    """Take mails back whose reason has gone, decide on occasions that have come up, and queue the
    next of each broadcast; and tell in the product what is about to end.
    """
    with transaction() as session:
        moment = Moment(database_time(session), get_business_settings(session))

    def cancel(cancellation: Cancellation, session: Session) -> int:
        cancelled = cancellation.cancel(session, moment)
        run.count("cancelled", cancelled)
        return cancelled

    def decide(trigger: Trigger, session: Session) -> int:
        decided = trigger.decide(session, moment)
        run.count("mails", decided.mails)
        run.count("withheld", decided.decisions - decided.mails)
        return decided.decisions

    def queue(session: Session) -> int:
        queued = broadcasts.queue_next(session, moment)
        run.count("broadcast", queued)
        return queued

    def tell(session: Session) -> int:
        told = tell_access_ending(session, moment)
        run.count("told", told)
        return told

    steps: list[Callable[[Session], int]] = [
        *(partial(cancel, each) for each in (broadcasts.STOPPED_ONES, *CANCELLATIONS)),
        *(partial(decide, each) for each in TRIGGERS),
        queue,
        tell,
    ]
    for step in steps:
        run.complete = False
        run.in_batches(step)
        if not run.complete:
            return
