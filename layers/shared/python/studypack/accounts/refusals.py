"""Refused sign-ins in the audit log: kept though the refused request is rolled back, and bounded,
so that guessing fills no table.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from studypack.accounts import throttles
from studypack.core.database import record_instead
from studypack.core.ids import uuid7
from studypack.core.telemetry import note, note_event

PASSWORD_REFUSED = "sign_in.refused"  # noqa: S105 (an act's name)
CODE_REFUSED = "sign_in.code_refused"
THROTTLED = "sign_in.throttled"

_RECORD = text(
    """
    WITH account AS (
        SELECT coalesce(
            CAST(:user_id AS uuid),
            (SELECT id FROM auth.users
              WHERE lower(email) = lower(CAST(:email AS text)) AND deleted_at IS NULL)) AS id),
    counted AS (
        INSERT INTO auth.throttles AS counted (key, hits, resets_at)
        SELECT sha256(convert_to(
                   'audit:' || CAST(:action AS text) || ':' || coalesce(id::text, :address),
                   'UTF8')),
               1, now() + make_interval(secs => :seconds)
          FROM account
        ON CONFLICT (key) DO UPDATE
           SET hits = CASE WHEN counted.resets_at <= now() THEN 1 ELSE counted.hits + 1 END,
               resets_at = CASE WHEN counted.resets_at <= now() THEN excluded.resets_at
                                ELSE counted.resets_at END
        RETURNING hits),
    recorded AS (
        INSERT INTO auth.audit_log (id, action, subject_id)
        SELECT :id, :action, account.id FROM account, counted WHERE counted.hits = 1
        RETURNING id)
    SELECT account.id AS subject_id, EXISTS (SELECT FROM recorded) AS is_recorded FROM account
    """
)
"""One statement, the same for an account that exists and one that does not: how long a refusal
takes must not tell. The account is looked up also where it is deactivated.
"""


def record(
    session: Session,
    action: str,
    *,
    address: str,
    email: str | None = None,
    user_id: UUID | None = None,
) -> None:
    """Note one refusal: a row for each account, kind and quarter of an hour; where there is no such
    account, for each network address instead.

    What the request has done so far is undone: it is about to be refused.
    """
    values = {
        "id": uuid7(),
        "action": action,
        "user_id": user_id,
        "email": email,
        "address": address,
        "seconds": throttles.QUARTER_HOUR,
    }
    row = record_instead(session, lambda independent: independent.execute(_RECORD, values).one())
    if row.subject_id is not None:
        note(subject_id=str(row.subject_id))
    if row.is_recorded:
        note_event(action)


def count_try(
    session: Session,
    *limits: throttles.Limit,
    address: str,
    email: str | None = None,
    user_id: UUID | None = None,
) -> datetime:
    """`throttles.take`, noting when one of the limits of a sign-in is reached, the account's own or
    the network's; those refused after that in the same window cost no further statement.
    """
    try:
        return throttles.take(session, *limits)
    except throttles.Throttled as error:
        reached = {limit.subject for limit in error.reached_now}
        if reached & {email, str(user_id)}:
            record(session, THROTTLED, address=address, email=email, user_id=user_id)
        elif reached:
            record(session, THROTTLED, address=address)
        raise
