"""What to do about weak topics: the course's lessons on them, then its quizzes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from studypack.courses.access import VISIBLE_LESSON, VISIBLE_MODULE
from studypack.quizzes.analysis import WeakTopic

LESSONS_OF_A_TOPIC: Final = 2
MOST: Final = 8
"""In all: more would not be read."""


class Kind(StrEnum):
    """What a recommendation points to."""

    LESSON = "lesson"
    DECK = "deck"
    QUIZ = "quiz"
    TOPIC = "topic"


@dataclass(frozen=True)
class Recommendation:
    """One thing to do, in plain text, and the id of what it points to."""

    text: str
    kind: Kind
    reference_id: UUID | None

    def document(self) -> dict[str, Any]:
        """As an analysis keeps it."""
        reference = None if self.reference_id is None else str(self.reference_id)
        return {"text": self.text, "kind": self.kind.value, "reference_id": reference}


_FIND: Final = text(
    f"""
    WITH weak AS (
        SELECT w.place, w.topic_id, t.parent_id
          FROM jsonb_to_recordset(CAST(:weak AS jsonb)) AS w (place int, topic_id uuid)
          JOIN learning.topics t ON t.id = w.topic_id)
    SELECT * FROM (
        SELECT weak.place, 'lesson' AS kind, l.id, l.title, done.item_id IS NOT NULL AS done,
               row_number() OVER (
                   PARTITION BY weak.place
                   ORDER BY l.topic_id <> weak.topic_id, done.item_id IS NOT NULL,
                            m.position, l.position) AS rank
          FROM weak
          JOIN learning.lessons l
            ON l.topic_id IN (weak.topic_id, weak.parent_id) AND {VISIBLE_LESSON}
          JOIN learning.modules m
            ON m.id = l.module_id AND m.course_id = :course_id AND {VISIBLE_MODULE}
          LEFT JOIN learning.item_completions done
            ON done.item_id = l.id AND done.user_id = :user_id) lessons
     WHERE rank <= :lessons
     UNION ALL
    SELECT * FROM (
        SELECT weak.place, 'quiz', q.id, q.title, false,
               row_number() OVER (PARTITION BY weak.place ORDER BY q.title, q.id) AS rank
          FROM weak
          JOIN learning.quizzes q
            ON q.topic_id = weak.topic_id AND q.course_id = :course_id AND q.id <> :quiz_id
           AND q.published AND q.deleted_at IS NULL
          LEFT JOIN learning.modules m ON m.id = q.module_id
         WHERE q.module_id IS NULL OR ({VISIBLE_MODULE})) quizzes
     WHERE rank = 1
     ORDER BY 1, 2, 6
    """  # noqa: S608 (our own text)
)
"""A lesson on the topic itself before one on the topic above it, and what the learner has not done
before what they have.
"""


def recommend(
    session: Session, weak: Sequence[WeakTopic], *, user_id: UUID, course_id: UUID, quiz_id: UUID
) -> list[Recommendation]:
    """For each weak topic, the weakest first: lessons on it, a quiz on it, or, where the course has
    neither, the topic itself. One statement, none without a weak topic.
    """
    if not weak:
        return []
    named = [
        {"place": place, "topic_id": str(topic_id)}
        for place, topic in enumerate(weak)
        for topic_id in topic.topic_ids
    ]
    rows = session.execute(
        _FIND,
        {
            "weak": json.dumps(named),
            "user_id": user_id,
            "course_id": course_id,
            "quiz_id": quiz_id,
            "lessons": LESSONS_OF_A_TOPIC,
        },
    ).all()
    return worded(weak, rows)


def worded(weak: Sequence[WeakTopic], found: Iterable[Row[Any]]) -> list[Recommendation]:
    """Texts for what was found: rows of place (of the weak topic), kind, id, title, done. Each
    lesson and quiz is recommended once.
    """
    by_place: dict[int, list[Row[Any]]] = {}
    seen: set[UUID] = set()
    for row in found:
        if row.id not in seen:
            seen.add(row.id)
            by_place.setdefault(row.place, []).append(row)
    made: list[Recommendation] = []
    for place, topic in enumerate(weak):
        rows = by_place.get(place, [])
        made += [_of(row, topic) for row in rows]
        if not rows:
            text = (
                f"Read the explanations of the questions on {topic.name} again"
                f" ({_whole(topic.percent)} %), then try once more."
            )
            made.append(Recommendation(text, Kind.TOPIC, topic.topic_ids[0]))
    return made[:MOST]


def _of(row: Row[Any], topic: WeakTopic) -> Recommendation:
    if row.kind == Kind.QUIZ:
        text = f"Practise {topic.name} with the quiz \u201c{row.title}\u201d."
        return Recommendation(text, Kind.QUIZ, row.id)
    what = "Go through the lesson again" if row.done else "Work through the lesson"
    text = f"{what}: \u201c{row.title}\u201d ({topic.name}, {_whole(topic.percent)} %)."
    return Recommendation(text, Kind.LESSON, row.id)


def _whole(percent: Decimal) -> str:
    """Rounded down: nobody is told 60 who has less."""
    return str(int(percent))
