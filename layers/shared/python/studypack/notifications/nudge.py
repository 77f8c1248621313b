"""Tell the worker at once of mails that somebody waits for, when the transaction that queued them
has committed.

Only a nudge: the mail is in its row, and the minutely job finds it if this message gets lost. So it
waits briefly, and whatever fails is logged and goes no further.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import event
from sqlalchemy.orm import Session

from studypack.core import aws
from studypack.core.config import get_settings
from studypack.core.telemetry import get_logger

IN_ONE_MESSAGE: Final = 50
CONNECT_SECONDS: Final = 1
READ_SECONDS: Final = 2
KEY: Final = "email_ids"
"""Of the message: the ids of queue rows."""

_WAITING: Final = "studypack.urgent_emails"


def nudge_after_commit(session: Session, email_id: UUID) -> None:
    """Tell of this mail when the session's transaction commits, if it does."""
    session.info.setdefault(_WAITING, []).append(email_id)


@event.listens_for(Session, "after_commit")
def _committed(session: Session) -> None:
    # A savepoint's end counts as a commit too; the mail is not there before the transaction's.
    if not session.in_nested_transaction():
        waiting = session.info.pop(_WAITING, None)
        if waiting:
            _nudge(waiting)


@event.listens_for(Session, "after_rollback")
def _rolled_back(session: Session) -> None:
    session.info.pop(_WAITING, None)


def _nudge(email_ids: Sequence[UUID]) -> None:
    try:
        queue = get_settings().email_queue_url
        if queue is None:
            return
        sqs: Any = aws.client("sqs", connect=CONNECT_SECONDS, read=READ_SECONDS, tries=1)
        for start in range(0, len(email_ids), IN_ONE_MESSAGE):
            some = [str(each) for each in email_ids[start : start + IN_ONE_MESSAGE]]
            sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({KEY: some}))
    except Exception as error:  # the transaction has committed: nothing may undo its answer
        get_logger().warning("urgent mails wait for the job", extra={"kind": type(error).__name__})
