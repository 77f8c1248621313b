"""Takes what SES reports of mails: delivered, delayed, bounced, complained of."""

from typing import Any

from sqlalchemy.orm import Session

from studypack.core.jobs import queue_worker
from studypack.integrations.email.events import read_event
from studypack.notifications.listening import take


def take_event(session: Session, message: dict[str, Any]) -> None:
    """Let one report take effect. One that is none of SES's fails, alone, until its queue gives it
    up.
    """
    event = read_event(message)
    if event is not None:
        take(session, event)


handler = queue_worker("ses_events", take_event)
