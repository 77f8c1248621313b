"""Courses, their topics, mastery."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from studypack.core.ids import uuid7
from studypack.courses.mastery import EVIDENCE_CAP, PRIOR_EVIDENCE, PRIOR_MASTERY


@dataclass(frozen=True)
class TopicEvidence:
    """Answers to a topic's items: how many, and the credit they earned in all."""

    topic_id: UUID
    items: int
    credit: float


_RECORD_MASTERY = text(
    """
    INSERT INTO learning.topic_mastery AS m
           (id, user_id, topic_id, mastery_score, evidence, last_updated)
    SELECT e.id, :user_id, e.topic_id,
           (CAST(:prior AS numeric) * CAST(:prior_evidence AS numeric) + e.credit)
             / (CAST(:prior_evidence AS numeric) + e.items),
           CAST(:prior_evidence AS numeric) + e.items, :now
      FROM jsonb_to_recordset(CAST(:evidence AS jsonb))
           AS e (id uuid, topic_id uuid, items numeric, credit numeric)
     ORDER BY e.topic_id
    ON CONFLICT (user_id, topic_id) DO UPDATE
       SET mastery_score =
             (least(m.evidence, :cap) * m.mastery_score + excluded.mastery_score * excluded.evidence
              - CAST(:prior AS numeric) * CAST(:prior_evidence AS numeric))
             / (least(m.evidence, :cap) + excluded.evidence - :prior_evidence),
           evidence = m.evidence + excluded.evidence - :prior_evidence,
           last_updated = excluded.last_updated
    """
)
"""courses/mastery.py in SQL; on conflict the prior, which `excluded` contains, is taken out
again.
"""


def record_mastery(
    session: Session, user_id: UUID, evidence: Sequence[TopicEvidence], *, now: datetime
) -> None:
    """Let answers count towards mastery of their topics: one statement, rows locked in one
    order.
    """
    if not evidence:
        return
    rows = [
        {**asdict(item), "id": str(uuid7(now)), "topic_id": str(item.topic_id)} for item in evidence
    ]
    session.execute(
        _RECORD_MASTERY,
        {
            "user_id": user_id,
            "evidence": json.dumps(rows),
            "prior": PRIOR_MASTERY,
            "prior_evidence": PRIOR_EVIDENCE,
            "cap": EVIDENCE_CAP,
            "now": now,
        },
    )
