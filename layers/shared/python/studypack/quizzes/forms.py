"""The form of a quiz attempt: which questions, in which order. Pure; how each is shown is
questions/forms.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from studypack.questions.forms import shuffled


@dataclass(frozen=True, slots=True)
class Candidate:
    """A question of the quiz that can be asked now."""

    question_id: UUID
    version: int
    points: int
    position: int
    """Its place among the author's questions."""
    times_seen: int
    """In how many of the learner's earlier attempts at this quiz it stood."""


def draw(
    candidates: Sequence[Candidate], attempt_id: UUID, *, count: int | None, shuffle: bool
) -> list[Candidate]:
    """The attempt's questions in its order: `count` of them (None, or more than there are: all),
    least seen ones first, and among equals as the attempt's id decides; so the same id, candidates
    and history draw the same form.
    """
    drawn = list(candidates)
    if count is not None and count < len(drawn):
        drawn = shuffled(attempt_id, "draw", drawn, key=lambda each: each.question_id)
        drawn = sorted(drawn, key=lambda each: each.times_seen)[:count]
    if shuffle:
        return shuffled(attempt_id, "sequence", drawn, key=lambda each: each.question_id)
    return sorted(drawn, key=lambda each: each.position)


def document(drawn: Sequence[Candidate]) -> list[dict[str, Any]]:
    """As an attempt's `form` keeps it."""
    return [
        {
            "question_id": str(each.question_id),
            "version": each.version,
            "points": each.points,
        }
        for each in drawn
    ]
