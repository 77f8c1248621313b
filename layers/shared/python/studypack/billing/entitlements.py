"""What somebody may use now, and why: pure, from what they hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from studypack.billing.features import ALL_FEATURES, Feature


@dataclass(frozen=True)
class Grant:
    """A feature that is open: all of it, or within one course, exam template or deck."""

    feature: Feature
    course_id: UUID | None = None
    template_id: UUID | None = None
    deck_id: UUID | None = None

    @property
    def is_whole(self) -> bool:
        """Whether nothing narrows it."""
        return self.course_id is None and self.template_id is None and self.deck_id is None

    def covers(
        self, *, course_id: UUID | None, template_id: UUID | None, deck_id: UUID | None
    ) -> bool:
        """Whether the thing that lies in this course, and is this template or deck, is within."""
        return self.is_whole or (
            (self.course_id is not None and self.course_id == course_id)
            or (self.template_id is not None and self.template_id == template_id)
            or (self.deck_id is not None and self.deck_id == deck_id)
        )


@dataclass(frozen=True)
class Entitlements:
    """Everything that is open to somebody now."""

    grants: frozenset[Grant]

    @classmethod
    def of(
        cls, grants: Iterable[Grant], *, access_override: bool, free_plan: Iterable[str]
    ) -> Entitlements:
        """All by override, else what is held and what the FREE plan gives; a name in the setting
        that is no feature opens nothing.
        """
        if access_override:
            return EVERYTHING
        free = {name for name in free_plan if name in ALL_FEATURES}
        return cls(frozenset([*grants, *(Grant(Feature(name)) for name in free)]))

    @property
    def features(self) -> frozenset[Feature]:
        """Features of which something is open."""
        return frozenset(grant.feature for grant in self.grants)

    def opens(
        self,
        feature: Feature,
        *,
        course_id: UUID | None = None,
        template_id: UUID | None = None,
        deck_id: UUID | None = None,
    ) -> bool:
        """Whether the feature may be used for this thing; without one: for everything."""
        return any(
            grant.feature is feature
            and grant.covers(course_id=course_id, template_id=template_id, deck_id=deck_id)
            for grant in self.grants
        )


EVERYTHING = Entitlements(frozenset(Grant(feature) for feature in Feature))
NOTHING = Entitlements(frozenset())


class Source(StrEnum):
    """Where an entitlement comes from."""

    OVERRIDE = "override"
    FREE_PLAN = "free_plan"
    PURCHASE = "purchase"
    SUBSCRIPTION = "subscription"
    SEAT = "seat"


@dataclass(frozen=True)
class Holding:
    """Something that opens features, or did, or would: a purchase, a subscription, a seat, ..."""

    source: Source
    id: UUID | None
    """Of the purchase, subscription or seat."""
    product_id: UUID | None
    sku: str | None
    product_name: str | None
    grants: frozenset[Grant]
    since: datetime | None
    until: datetime | None
    """When it ends as things stand; None: it does not."""
    renews: bool
    """Whether another period follows at `until` if it is paid."""
    closed_because: str | None
    """Stable code of why it opens nothing now; None: it is in force."""
    event_id: str | None
    """Stripe's event that brought this about."""
    event_type: str | None


@dataclass(frozen=True)
class FeatureAnswer:
    """One feature, whether it is open, and everything held that has to do with it."""

    feature: Feature
    is_open: bool
    is_whole: bool
    """Open without being narrowed to courses, templates or decks."""
    until: datetime | None
    """When the last of it ends; None: it does not, or is not open."""
    holdings: tuple[Holding, ...]
    """Those in force first, and of them those that last longest."""


def by_rule(*, access_override: bool, free_plan: Iterable[str]) -> list[Holding]:
    """The holdings that nobody bought: the override and the FREE plan."""
    held = []
    if access_override:
        held.append(_given(Source.OVERRIDE, ALL_FEATURES))
    free = frozenset(Feature(name) for name in free_plan if name in ALL_FEATURES)
    if free:
        held.append(_given(Source.FREE_PLAN, free))
    return held


def _given(source: Source, features: Iterable[Feature]) -> Holding:
    return Holding(
        source=source,
        id=None,
        product_id=None,
        sku=None,
        product_name=None,
        grants=frozenset(Grant(feature) for feature in features),
        since=None,
        until=None,
        renews=False,
        closed_because=None,
        event_id=None,
        event_type=None,
    )


def explain(holdings: Sequence[Holding]) -> list[FeatureAnswer]:
    """Every feature of the product, open or not, by what is held."""
    return [_answer(feature, holdings) for feature in Feature]


def _answer(feature: Feature, holdings: Sequence[Holding]) -> FeatureAnswer:
    concerned = [
        holding for holding in holdings if any(grant.feature is feature for grant in holding.grants)
    ]
    in_force = [holding for holding in concerned if holding.closed_because is None]
    endless = any(holding.until is None for holding in in_force)
    return FeatureAnswer(
        feature=feature,
        is_open=bool(in_force),
        is_whole=any(
            grant.feature is feature and grant.is_whole
            for holding in in_force
            for grant in holding.grants
        ),
        until=None if endless else max((h.until for h in in_force if h.until), default=None),
        holdings=tuple(sorted(concerned, key=_weight)),
    )


def _weight(holding: Holding) -> tuple[bool, bool, float, str]:
    lasts = holding.until.timestamp() if holding.until else 0.0
    return (holding.closed_because is not None, holding.until is not None, -lasts, str(holding.id))
