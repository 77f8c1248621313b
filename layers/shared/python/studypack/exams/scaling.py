"""The scoring job: submitted sessions get their ability, scaled score and verdict, in set-based
batches.
"""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from studypack.core.telemetry import get_logger
from studypack.exams.irt import Item, eap, scaled
from studypack.exams.scoring import Scoring

_CLAIM = text(
    """
    WITH claimed AS MATERIALIZED (
        SELECT id, scoring FROM learning.exam_sessions
         WHERE status = 'SUBMITTED' AND scoring_mode = 'scaled'
           AND id <> ALL (CAST(:passed_over AS uuid[]))
         ORDER BY submitted_at LIMIT :size
           FOR UPDATE SKIP LOCKED)
    SELECT claimed.id, claimed.scoring,
           array_agg(i.discrimination::float8 ORDER BY i.position) AS a,
           array_agg(i.location::float8 ORDER BY i.position) AS b,
           array_agg(coalesce(r.credit, 0)::float8 ORDER BY i.position) AS credits,
           count(i.position) AS items
      FROM claimed
      LEFT JOIN learning.exam_items i ON i.session_id = claimed.id
      LEFT JOIN learning.exam_responses r
             ON r.session_id = i.session_id AND r.question_id = i.question_id
     GROUP BY claimed.id, claimed.scoring
    """
)

_WRITE = text(
    """
    WITH scored AS (
        SELECT * FROM jsonb_to_recordset(CAST(:scores AS jsonb))
            AS s (id uuid, theta numeric, theta_error numeric, score int, passed boolean)),
    updated AS (
        UPDATE learning.exam_sessions e
           SET status = 'REVIEW', completed_at = now(), updated_at = now(), theta = s.theta,
               theta_error = s.theta_error, score_scaled = s.score, passed = s.passed
          FROM scored s WHERE e.id = s.id
        RETURNING e.id, e.user_id, e.template_id, e.score_scaled),
    told AS (
        INSERT INTO notifications.notifications
               (id, user_id, type, title, message, link, reference, data)
        SELECT public.uuid7(), u.user_id, 'EXAM_SCORED', 'Your result is there: ' || t.title,
               'You have ' || u.score_scaled || ' points.', '/exams/' || u.id, u.id,
               jsonb_build_object('exam_session_id', u.id, 'score_scaled', u.score_scaled)
          FROM updated u JOIN learning.exam_templates t ON t.id = u.template_id
            ON CONFLICT DO NOTHING)
    INSERT INTO activity.user_activities (id, user_id, type, description, metadata)
    SELECT public.uuid7(), u.user_id, 'exam.scored', 'Scored ' || t.title,
           jsonb_build_object('exam_session_id', u.id, 'score_scaled', u.score_scaled)
      FROM updated u JOIN learning.exam_templates t ON t.id = u.template_id
    """
)


def score_submitted(session: Session, *, size: int, passed_over: set[UUID]) -> int:
    """Score up to `size` sessions and say how many: one statement to read, one to write.

    One that cannot be scored is logged, left as it is and added to `passed_over`, whose sessions
    are not claimed. Two jobs at once share the sessions (SKIP LOCKED); one killed half-way has
    scored none of its batch.
    """
    claimed = session.execute(_CLAIM, {"size": size, "passed_over": list(passed_over)}).all()
    scores = []
    for row in claimed:
        try:
            scores.append(_score(row))
        except ValueError:
            passed_over.add(row.id)
            get_logger().exception("exam session cannot be scored", extra={"session_id": row.id})
    if scores:
        session.execute(_WRITE, {"scores": json.dumps(scores)})
    return len(scores)


def _score(row: Row[Any]) -> dict[str, object]:
    """What _WRITE takes. Raises ValueError for a session without scale or items, or with such as
    cannot be read.
    """
    scale = Scoring.model_validate(row.scoring).scale
    if scale is None:
        raise ValueError("the session is to be scaled and has no scale")
    if not row.items:
        raise ValueError("the session has no items")
    ability = eap([Item(a, b) for a, b in zip(row.a, row.b, strict=True)], row.credits)
    score = scaled(ability.theta, scale)
    return {
        "id": str(row.id),
        "theta": round(ability.theta, 4),
        "theta_error": round(ability.standard_error, 4),
        "score": score,
        "passed": score >= scale.pass_score,
    }
