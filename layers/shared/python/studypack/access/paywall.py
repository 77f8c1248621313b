"""The refusal of what is not paid for: it names what would open it."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from studypack.billing.entitlements import Entitlements
from studypack.billing.features import Feature
from studypack.core.errors import PaymentRequired


def require(
    session: Session,
    entitlements: Entitlements,
    feature: Feature,
    *,
    course_id: UUID | None = None,
    template_id: UUID | None = None,
    deck_id: UUID | None = None,
) -> None:
    """Let only those go on for whom the feature is open for this thing.

    Raises PaymentRequired (`entitlement_required`) with the `features` and the `products` that
    would open it.
    """
    scope = {"course_id": course_id, "template_id": template_id, "deck_id": deck_id}
    if not entitlements.opens(feature, **scope):
        raise paywall(session, feature, **scope)


def paywall(
    session: Session,
    feature: Feature,
    *,
    course_id: UUID | None = None,
    template_id: UUID | None = None,
    deck_id: UUID | None = None,
) -> PaymentRequired:
    """The refusal, with the products on offer that open the feature for this thing."""
    # Every API function has this guard; only who is refused pays for the price list's models.
    from studypack.billing.offers import products_opening

    offers = products_opening(
        session, feature, course_id=course_id, template_id=template_id, deck_id=deck_id
    )
    part = "this part of " if course_id or template_id or deck_id else ""
    return PaymentRequired(
        f"Your plan does not include {part}{feature}.",
        features=[feature.value],
        products=[
            {
                "sku": offer.sku,
                "name": offer.name,
                "kind": offer.kind,
                "interval": offer.interval,
                "amount": offer.amount,
                "currency": offer.currency,
            }
            for offer in offers
        ],
    )
