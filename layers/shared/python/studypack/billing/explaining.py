"""The answer to "why may I, or may I not, use this?"."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from studypack.billing.entitlements import FeatureAnswer, by_rule, explain
from studypack.billing.holdings import list_holdings
from studypack.core.business_settings import get_business_settings


def explain_access(
    session: Session, user_id: UUID, *, access_override: bool
) -> list[FeatureAnswer]:
    """Every feature, open or not, with everything that this user holds or held. One statement."""
    settings = get_business_settings(session)
    given = by_rule(access_override=access_override, free_plan=settings.free_plan_features)
    return explain([*given, *list_holdings(session, user_id, grace_days=settings.grace_days)])
