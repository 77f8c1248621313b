"""Every minute: send the mails that are due."""

from studypack.core.jobs import Run, job
from studypack.integrations.email.ses import LONGEST_CALL_SECONDS, get_ses
from studypack.notifications.sending import database_clock, measure, send_due

SHARE = 0.7
"""Of what SES takes per second; the rest is for the worker that sends what is urgent."""
BATCH = 50


@job("dispatch_emails")
def handler(run: Run) -> None:
    """Hand over what is due, urgent mails first, until nothing is left or SES takes no more."""
    run.stop_before_milliseconds = (LONGEST_CALL_SECONDS + 5) * 1000
    clock = database_clock()
    figures = send_due(get_ses(), clock=clock, has_time=run.has_time, share=SHARE, batch=BATCH)
    run.batches = figures.batches
    run.processed = figures.sent
    run.complete = figures.is_complete
    for name in ("failed", "retried", "cancelled", "deferred", "uncertain", "throttled"):
        run.count(name, getattr(figures, name))
    measure(figures, now=clock())
