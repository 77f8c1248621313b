"""Sends what somebody waits for, as soon as it is queued."""

from typing import Any
from uuid import UUID

from studypack.core.jobs import Postponed, Run, message_worker
from studypack.integrations.email.ses import LONGEST_CALL_SECONDS, get_ses
from studypack.notifications.nudge import KEY
from studypack.notifications.sending import database_clock, measure, send_due

SHARE = 0.15
"""Of what SES takes per second, with two of us at once; the job that sends the rest has 0.7."""


def send_named(run: Run, message: dict[str, Any]) -> None:
    """Send the mails that a message names. One that was sent already, or that another worker has,
    is done; one that SES would not take now comes again with the message, unless the job is faster.
    """
    run.stop_before_milliseconds = (LONGEST_CALL_SECONDS + 5) * 1000
    ids = [UUID(each) for each in message[KEY]]
    figures = send_due(
        get_ses(), clock=database_clock(), has_time=run.has_time, ids=ids, share=SHARE
    )
    for name in ("sent", "failed", "retried", "cancelled", "uncertain", "throttled"):
        run.count(name, getattr(figures, name))
    measure(figures)
    if figures.unsent or figures.stopped:
        raise Postponed("mails of this message are still to be sent")


handler = message_worker("send_emails", send_named)
