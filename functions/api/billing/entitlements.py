"""What the caller may use, and why."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from studypack.access.guards import CurrentUser
from studypack.billing.entitlements import FeatureAnswer, Grant, Holding, Source
from studypack.billing.explaining import explain_access
from studypack.billing.features import Feature
from studypack.core.http import DbSession, Out, UtcTime

router = APIRouter(prefix="/api/purchases/entitlements")


class ScopeOut(Out):
    """The one thing that a feature is open for; all three null: everything."""

    course_id: UUID | None
    template_id: UUID | None
    deck_id: UUID | None


class FeatureOut(Out):
    """A feature, and whether it is open now."""

    feature: Feature
    is_open: bool
    is_whole: bool = Field(description="Open without being narrowed to what `scopes` lists")
    until: UtcTime | None = Field(
        description="When the last of what opens it ends, or is renewed; null: it does not end"
    )
    scopes: list[ScopeOut]

    @classmethod
    def of(cls, answer: FeatureAnswer) -> FeatureOut:
        """From the service's answer."""
        opened = {
            grant
            for holding in answer.holdings
            if holding.closed_because is None
            for grant in holding.grants
            if grant.feature is answer.feature
        }
        return cls(
            feature=answer.feature,
            is_open=answer.is_open,
            is_whole=answer.is_whole,
            until=answer.until,
            scopes=[] if answer.is_whole else scopes_of(opened),
        )


def scopes_of(grants: set[Grant] | frozenset[Grant]) -> list[ScopeOut]:
    """What grants of one feature are narrowed to, in a stable order."""
    key = sorted(grants, key=lambda g: (str(g.course_id), str(g.template_id), str(g.deck_id)))
    return [ScopeOut.model_validate(grant) for grant in key]


class EntitlementsOut(Out):
    """Every feature of the product as it is for the caller."""

    features: list[FeatureOut]
    server_now: UtcTime


class HoldingOut(Out):
    """Something that opens a feature, or did, or would."""

    source: Source
    id: UUID | None = Field(description="Of the purchase, the subscription or the seat")
    sku: str | None
    product: str | None
    since: UtcTime | None
    until: UtcTime | None
    renews: bool
    in_force: bool
    closed_because: str | None = Field(
        description="Why it opens nothing now", examples=["refunded", "grace_ended"]
    )
    event_id: str | None = Field(description="The payment provider's event that caused it")
    event_type: str | None
    scopes: list[ScopeOut]

    @classmethod
    def of(cls, holding: Holding, feature: Feature) -> HoldingOut:
        """From the service's answer, as far as it concerns the feature."""
        return cls(
            source=holding.source,
            id=holding.id,
            sku=holding.sku,
            product=holding.product_name,
            since=holding.since,
            until=holding.until,
            renews=holding.renews,
            in_force=holding.closed_because is None,
            closed_because=holding.closed_because,
            event_id=holding.event_id,
            event_type=holding.event_type,
            scopes=scopes_of({grant for grant in holding.grants if grant.feature is feature}),
        )


class ExplainedFeatureOut(FeatureOut):
    """A feature with everything that it is, was or would be open by."""

    holdings: list[HoldingOut]


class ExplanationOut(Out):
    """Every feature with its reasons."""

    features: list[ExplainedFeatureOut]
    server_now: UtcTime

    @classmethod
    def of(cls, answers: list[FeatureAnswer], *, now: datetime) -> ExplanationOut:
        """From the service's answers."""
        return cls(
            features=[
                ExplainedFeatureOut(
                    **FeatureOut.of(answer).model_dump(),
                    holdings=[HoldingOut.of(each, answer.feature) for each in answer.holdings],
                )
                for answer in answers
            ],
            server_now=now,
        )


@router.get("")
def get_entitlements(caller: CurrentUser, session: DbSession) -> EntitlementsOut:
    """What I may use now, feature by feature, and until when."""
    answers = explain_access(session, caller.id, access_override=caller.access_override)
    return EntitlementsOut(
        features=[FeatureOut.of(answer) for answer in answers], server_now=caller.now
    )


@router.get("/explain")
def explain_entitlements(caller: CurrentUser, session: DbSession) -> ExplanationOut:
    """The same with its reasons: each purchase, subscription, seat, plan or override, in force or
    not, why not, and the event that caused it.
    """
    answers = explain_access(session, caller.id, access_override=caller.access_override)
    return ExplanationOut.of(answers, now=caller.now)
