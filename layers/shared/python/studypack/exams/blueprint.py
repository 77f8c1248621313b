"""An exam's blueprint: how many items, of which topics, in which sequence."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Final, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, field_validator

MAX_ITEMS: Final = 400

K = TypeVar("K", bound=Hashable)

Sequencing = Literal["shuffled", "by_topic"]


class TopicWeight(BaseModel):
    """A topic's share of the exam, relative to the other topics' weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    topic_id: UUID
    weight: Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)]


class Blueprint(BaseModel):
    """The plan by which a form is assembled: the `blueprint` document of an exam template."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    items: Annotated[int, Field(ge=1, le=MAX_ITEMS)]
    topics: Annotated[tuple[TopicWeight, ...], Field(min_length=1, max_length=MAX_ITEMS)]
    sequence: Sequencing = "shuffled"
    shuffle_options: bool = True

    @field_validator("topics")
    @classmethod
    def _topics_are_distinct(cls, topics: tuple[TopicWeight, ...]) -> tuple[TopicWeight, ...]:
        if len({topic.topic_id for topic in topics}) < len(topics):
            raise ValueError("a topic is named twice")
        return topics

    def counts(self) -> dict[UUID, int]:
        """Items of each topic, in the blueprint's order; a light topic may get none."""
        return allocate({topic.topic_id: topic.weight for topic in self.topics}, self.items)


def allocate(weights: Mapping[K, float], items: int) -> dict[K, int]:
    """Share out whole items by weight so that they sum to `items`, keys in the order given.

    Largest remainder (Hamilton 1792): each key gets its quota, items x weight / sum of weights,
    rounded down; what is left goes one each to the largest remainders, of equal ones to the larger
    weight, then to the earlier key. So every count is its quota rounded down or up.
    Raises ValueError without keys, for a weight that is not positive, for negative items.
    """
    if items < 0:
        raise ValueError(f"cannot share out {items} items")
    # Exactly, and from the decimals that an author wrote: binary fractions would settle ties.
    exact = {key: Fraction(str(weight)) for key, weight in weights.items()}
    if not exact or min(exact.values()) <= 0:
        raise ValueError("every topic needs a positive weight, and there must be one")
    total = sum(exact.values())
    quotas = {key: items * weight / total for key, weight in exact.items()}
    counts = {key: int(quota) for key, quota in quotas.items()}
    by_remainder = sorted(exact, key=lambda key: (counts[key] - quotas[key], -exact[key]))
    for key in by_remainder[: items - sum(counts.values())]:
        counts[key] += 1
    return counts


@dataclass(frozen=True)
class Shortfall(Generic[K]):
    """A topic whose bank is too small for what the blueprint wants of it."""

    key: K
    wanted: int
    available: int


def shortfalls(wanted: Mapping[K, int], available: Mapping[K, int]) -> list[Shortfall[K]]:
    """The keys of which fewer items are available than wanted, in the order of `wanted`."""
    return [
        Shortfall(key, count, available.get(key, 0))
        for key, count in wanted.items()
        if available.get(key, 0) < count
    ]
