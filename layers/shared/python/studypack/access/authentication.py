"""The authenticating statement: from a session's token to the caller, in one round trip."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import text

from studypack.accounts.tokens import hash_token
from studypack.billing.entitlements import Entitlements
from studypack.billing.features import Feature
from studypack.billing.holdings import HOLDINGS, to_grant
from studypack.core.business_settings import get_business_settings
from studypack.core.database import autocommit
from studypack.identity.models import Role


@dataclass(frozen=True)
class Caller:
    """The signed-in user of a request, and the database's time when it came."""

    id: UUID
    session_id: UUID
    role: Role
    access_override: bool
    email_verified: bool
    totp_enrolled: bool
    totp_required: bool
    """Whether the role may be used only with one-time codes (setting `totp_required_roles`)."""
    timezone: str
    time_factor: Decimal
    """Accommodation: 1 is none."""
    now: datetime
    entitlements: Entitlements
    """What this user may use now."""

    @property
    def features(self) -> frozenset[Feature]:
        """Features of which something is open."""
        return self.entitlements.features


_AUTHENTICATE = text(
    f"""
    WITH caller AS (
        SELECT s.id AS session_id, s.last_seen_at, u.id, u.role, u.access_override,
               u.email_verified_at IS NOT NULL AS email_verified, u.timezone,
               EXISTS (SELECT FROM auth.totp_credentials t
                        WHERE t.user_id = u.id AND t.confirmed_at IS NOT NULL) AS totp_enrolled,
               coalesce((SELECT a.time_factor FROM auth.accommodations a
                          WHERE a.user_id = u.id AND a.ended_at IS NULL), 1) AS time_factor
          FROM auth.sessions s JOIN auth.users u ON u.id = s.user_id
         WHERE s.token_hash = :token_hash AND s.expires_at > now()
           AND s.last_seen_at > now() - make_interval(days => :idle_days)
           AND u.is_active AND u.deleted_at IS NULL),
    seen AS (
        UPDATE auth.sessions s SET last_seen_at = now() FROM caller
         WHERE s.id = caller.session_id AND s.last_seen_at < now() - interval '10 minutes')
    SELECT id, session_id, role, access_override, email_verified, totp_enrolled, timezone,
           time_factor, now() AS now,
           (SELECT jsonb_agg(DISTINCT jsonb_build_array(
                       g.feature, g.course_id, g.template_id, g.deck_id))
              FROM ({HOLDINGS.format(user="(SELECT id FROM caller)")}) h
              JOIN payments.product_grants g ON g.product_id = h.product_id
             WHERE h.closed_because IS NULL) AS grants
      FROM caller
    """  # noqa: S608 (our own text, with a sub-select in it)
)


def authenticate(token: str) -> Caller | None:
    """The caller whom this token belongs to, or None.

    Runs in autocommit before the request's own transaction: one round trip, and a refused request
    still counts as having been seen. The business settings, too, are read before that transaction
    takes the environment's only connection.
    """
    settings = get_business_settings(None)
    values = {
        "token_hash": hash_token(token),
        "idle_days": settings.session_idle_days,
        "grace_days": settings.grace_days,
    }
    with autocommit() as connection:
        row = connection.execute(_AUTHENTICATE, values).one_or_none()
    if row is None:
        return None
    return Caller(
        id=row.id,
        session_id=row.session_id,
        role=Role(row.role),
        access_override=row.access_override,
        email_verified=row.email_verified,
        totp_enrolled=row.totp_enrolled,
        totp_required=row.role in settings.totp_required_roles,
        timezone=row.timezone,
        time_factor=row.time_factor,
        now=row.now,
        entitlements=Entitlements.of(
            [to_grant(each) for each in row.grants or ()],
            access_override=row.access_override,
            free_plan=settings.free_plan_features,
        ),
    )
