"""The database held against what clients were told: what is lost, what happened twice, what
never ended.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import Connection, text

from studypack.courses.mastery import PRIOR_EVIDENCE
from tests.support.concurrency import bystander

if TYPE_CHECKING:
    from tests.faults.classroom import Books

SETTLE_SECONDS = 10
"""How long a server may take to notice that a client is gone."""


@dataclass(frozen=True)
class Findings:
    """Broken promises, each in words."""

    lost: tuple[str, ...] = ()
    duplicated: tuple[str, ...] = ()
    stuck: tuple[str, ...] = ()

    def __add__(self, other: Findings) -> Findings:
        return Findings(
            self.lost + other.lost, self.duplicated + other.duplicated, self.stuck + other.stuck
        )


_RESPONSES = text(
    """
    SELECT session_id, question_id, revision, flagged, time_spent_seconds
      FROM learning.exam_responses WHERE session_id = ANY(CAST(:sessions AS uuid[]))
    """
)

_SUBMISSIONS = text(
    """
    SELECT s.id, s.status, s.score_raw IS NOT NULL AS has_raw, s.theta IS NOT NULL AS has_theta,
           (SELECT count(*) FROM activity.xp_logs x WHERE x.reference_id = s.id) AS xp,
           (SELECT count(*) FROM activity.user_activities a
             WHERE a.type = 'exam.submitted' AND a.metadata ->> 'exam_session_id' = s.id::text)
             AS told,
           (SELECT count(*) FROM activity.user_activities a
             WHERE a.type = 'exam.scored' AND a.metadata ->> 'exam_session_id' = s.id::text)
             AS scored,
           (SELECT count(*) FROM activity.analytics_events e
             WHERE e.event_name = 'exam_submitted' AND e.exam_session_id = s.id) AS events,
           (SELECT count(*) FROM learning.exam_responses r
             WHERE r.session_id = s.id AND r.answer IS NOT NULL) AS answered,
           (SELECT count(*) FROM learning.exam_responses r
             WHERE r.session_id = s.id AND r.credit IS NULL) AS ungraded,
           (SELECT count(*) FROM learning.exam_items i WHERE i.session_id = s.id) AS items,
           (SELECT coalesce(sum(m.evidence - :prior), 0) FROM learning.topic_mastery m
             WHERE m.user_id = s.user_id) AS evidence
      FROM learning.exam_sessions s WHERE s.id = ANY(CAST(:sessions AS uuid[]))
    """
)
"""One exam a learner, so the evidence of all topics is this exam's answers."""

_LOGGED = text(
    """
    SELECT session_id, event, sequence,
           CAST(entry AS jsonb) #>> '{data,question}' AS question,
           CAST(CAST(entry AS jsonb) #>> '{data,revision}' AS int) AS revision,
           sequence = row_number() OVER log AND previous_hash = coalesce(
               lag(hash) OVER log, CAST(repeat(chr(92) || '000', 32) AS bytea)) AS linked
      FROM learning.exam_response_log WHERE session_id = ANY(CAST(:sessions AS uuid[]))
    WINDOW log AS (PARTITION BY session_id ORDER BY sequence)
    """
)
"""The receipt's log: every entry with whether it follows the one before."""

_UNDER_WAY = text(
    """
    SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid()
       AND backend_type = 'client backend'
       AND (xact_start IS NOT NULL OR wait_event_type = 'Lock')
    """
)


@contextmanager
def looking(url: str) -> Iterator[Connection]:
    """A connection in autocommit that is not the application's."""
    with bystander(url) as engine, engine.connect() as connection:
        yield connection.execution_options(isolation_level="AUTOCOMMIT")


def responses(connection: Connection, books: Books) -> Findings:
    """Every acknowledged response is there as it was sent, or a later one of its learner's."""
    wanted = sorted({str(session) for session, _ in books.saved})
    rows = connection.execute(_RESPONSES, {"sessions": wanted}).all()
    stored = {(row.session_id, row.question_id): row for row in rows}
    lost, duplicated = [], []
    for key, revision in books.saved.items():
        row = stored.get(key)
        if row is None or row.revision < revision:
            lost.append(f"response {key[1]} revision {revision}: {row and row.revision}")
        elif (row.flagged, row.time_spent_seconds) != (row.revision % 2 == 0, row.revision):
            lost.append(f"response {key[1]} revision {row.revision} is mixed with another")
        elif row.revision > books.sent[key]:
            duplicated.append(f"response {key[1]} revision {row.revision} was never sent")
    return Findings(tuple(lost), tuple(duplicated)) + _log(connection, wanted, books)


def _log(connection: Connection, sessions: Sequence[str], books: Books) -> Findings:
    """Every acknowledged revision is in the receipt's log once, and the log is one chain."""
    rows = connection.execute(_LOGGED, {"sessions": list(sessions)}).all()
    answered = Counter(
        (row.session_id, UUID(row.question), row.revision)
        for row in rows
        if row.event == "ANSWERED"
    )
    submitted = Counter(row.session_id for row in rows if row.event == "SUBMITTED")
    lost = [f"{key} is not in the log" for key in books.kept if not answered[key]]
    lost += [f"the log of {row.session_id} breaks" for row in rows if not row.linked]
    twice = [*answered.items(), *submitted.items()]
    duplicated = [f"{key} is {number} times in the log" for key, number in twice if number > 1]
    return Findings(tuple(lost), tuple(duplicated))


def submissions(
    connection: Connection, sessions: Iterable[UUID], *, scored: bool = False
) -> Findings:
    """Every one of these sessions was submitted (and scored) once and whole."""
    lost, duplicated, stuck = [], [], []
    for row in _submissions(connection, sessions):
        if row.status not in {"SUBMITTED", "REVIEW"}:
            lost.append(f"session {row.id} is {row.status}")
            continue
        if scored and row.status != "REVIEW":
            stuck.append(f"session {row.id} is never scored")
        once = {
            "xp": (row.xp, int(2 * row.answered >= row.items)),
            "feed": (row.told, 1),
            "event": (row.events, 1),
            "scored": (row.scored, int(row.status == "REVIEW")),
            "evidence": (row.evidence, row.answered),
        }
        for what, (found, right) in once.items():
            if found > right:
                duplicated.append(f"session {row.id}: {what} {found} instead of {right}")
            elif found < right:
                lost.append(f"session {row.id}: {what} {found} instead of {right}")
        if row.ungraded or not row.has_raw or (row.status == "REVIEW") != row.has_theta:
            lost.append(f"session {row.id} is submitted in part")
    return Findings(tuple(lost), tuple(duplicated), tuple(stuck))


def untouched(connection: Connection, sessions: Iterable[UUID]) -> Findings:
    """None of these sessions shows any part of a submission."""
    lost = [
        f"session {row.id} shows a submission that was never committed"
        for row in _submissions(connection, sessions)
        if row.status != "IN_PROGRESS"
        or row.has_raw
        or row.xp + row.told + row.events + row.scored + row.evidence
    ]
    return Findings(lost=tuple(lost))


def whole_or_nothing(connection: Connection, sessions: Iterable[UUID]) -> Findings:
    """Each session whose submission may have been cut off is submitted entirely or not at all."""
    rows = _submissions(connection, sessions)
    running = [row.id for row in rows if row.status == "IN_PROGRESS"]
    submitted = [row.id for row in rows if row.status != "IN_PROGRESS"]
    return untouched(connection, running) + submissions(connection, submitted)


def unfinished(connection: Connection, sessions: Iterable[UUID]) -> Findings:
    """Which of these sessions have not come to an end, after everything that should end them."""
    stuck = [
        f"session {row.id} is {row.status} for good"
        for row in _submissions(connection, sessions)
        if row.status != "REVIEW"
    ]
    return Findings(stuck=tuple(stuck))


def left_behind(connection: Connection) -> Findings:
    """No transaction stays open once the clients are done."""
    give_up_at = time.monotonic() + SETTLE_SECONDS
    while open_transactions := connection.execute(_UNDER_WAY).scalar_one():
        if time.monotonic() > give_up_at:
            return Findings(stuck=(f"{open_transactions} transactions never end",))
        time.sleep(0.02)
    return Findings()


def _submissions(connection: Connection, sessions: Iterable[UUID]) -> list[Any]:
    wanted = [str(session) for session in sessions]
    return list(
        connection.execute(_SUBMISSIONS, {"sessions": wanted, "prior": PRIOR_EVIDENCE}).all()
    )
