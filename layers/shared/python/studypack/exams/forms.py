"""The order of an exam's questions, which its session's id reproduces (questions/forms.py)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar
from uuid import UUID

from studypack.exams.blueprint import Sequencing
from studypack.questions.forms import shuffled


class Placeable(Protocol):
    """A drawn question, with the blueprint's topic for which it was drawn."""

    @property
    def question_id(self) -> UUID: ...
    @property
    def topic_id(self) -> UUID: ...


P = TypeVar("P", bound=Placeable)


def sequence(
    items: Iterable[P], session_id: UUID, mode: Sequencing, *, topic_order: Sequence[UUID] = ()
) -> list[P]:
    """The drawn questions in the order of the form: all shuffled, or shuffled within each topic.

    By topic, topics come in `topic_order` (the blueprint's), any others after them, by their ids.
    """
    order = shuffled(session_id, "sequence", items, key=lambda item: item.question_id)
    if mode == "by_topic":
        rank = {topic_id: index for index, topic_id in enumerate(topic_order)}
        last = len(rank)
        order.sort(key=lambda item: (rank.get(item.topic_id, last), item.topic_id))
    return order
