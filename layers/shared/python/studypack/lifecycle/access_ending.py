"""ACCESS_ENDING, in the product: what was paid for ends within a week, and will not renew.

| comes up | what is told |
|---|---|
| 7 days before a COMPLETED purchase's window ends, once a window | what ends; when, as data |
| 7 days before a cancelled subscription's period ends, once a period | as above |

No mail: none of the seed's templates is about it. Somebody who bought the same product anew, so
that it goes on, is not told.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from studypack.lifecycle.moment import Moment, run

BATCH: Final = 500
AHEAD: Final = timedelta(days=7)

_TELL: Final = text(
    """
    WITH ending AS (
        SELECT p.user_id, p.product_id, 'purchase:' || p.id AS about, p.access_end AS ends_at
          FROM payments.purchases p
         WHERE p.status = 'COMPLETED' AND p.user_id IS NOT NULL AND NOT p.is_duplicate
           AND p.access_end > :now AND p.access_end <= :until
           AND NOT EXISTS (
               SELECT FROM payments.purchases later
                WHERE later.user_id = p.user_id AND later.product_id = p.product_id
                  AND later.status = 'COMPLETED' AND later.id <> p.id
                  AND coalesce(later.access_end, 'infinity') > p.access_end)
        UNION ALL
        SELECT s.user_id, s.product_id, 'subscription:' || s.id, s.current_period_end
          FROM payments.subscriptions s
         WHERE s.status IN ('ACTIVE', 'TRIALING') AND s.cancel_at_period_end
           AND s.user_id IS NOT NULL AND NOT s.is_duplicate AND s.access_ended_at IS NULL
           AND s.current_period_end > :now AND s.current_period_end <= :until),
    named AS (
        SELECT e.user_id, d.name, e.ends_at,
               e.about || ':' || to_char(e.ends_at AT TIME ZONE 'UTC', 'YYYYMMDD') AS reference
          FROM ending e JOIN payments.products d ON d.id = e.product_id
          JOIN auth.users u ON u.id = e.user_id AND u.is_active AND u.deleted_at IS NULL),
    told AS (
        INSERT INTO notifications.notifications
               (id, user_id, type, title, message, link, reference, data, created_at)
        SELECT public.uuid7(:now), n.user_id, 'ACCESS_ENDING', 'Your access ends soon',
               'What ' || n.name || ' opens for you ends within a week.', '/settings/billing',
               n.reference, jsonb_build_object('product_name', n.name, 'ends_at', n.ends_at), :now
          FROM named n
         WHERE NOT EXISTS (
               SELECT FROM notifications.notifications known
                WHERE known.user_id = n.user_id AND known.type = 'ACCESS_ENDING'
                  AND known.reference = n.reference)
         ORDER BY n.user_id, n.reference LIMIT :size
            ON CONFLICT DO NOTHING RETURNING id)
    SELECT count(*) FROM told
    """
)


def tell_access_ending(session: Session, moment: Moment) -> int:
    """Tell up to BATCH people what ends for them, and return how many those were."""
    values = {"now": moment.now, "until": moment.now + AHEAD, "size": BATCH}
    return int(run(session, _TELL, values).scalar_one())
