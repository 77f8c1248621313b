"""The refusals for good of notifications/policy.py, as SQL over many people at once.

Each fragment is tried against the pure function in every combination (tests/lifecycle).
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from studypack.notifications.catalogue import CATALOGUE, missing_facts
from studypack.notifications.policy import ALWAYS_ON

KINDS: Final = """
    SELECT template, category, is_marketing, is_always_on, is_urgent, needs_verified,
           ARRAY(SELECT jsonb_array_elements_text(needs)) AS needs
      FROM jsonb_to_recordset(CAST(:kinds AS jsonb))
           AS k (template text, category text, is_marketing boolean, is_always_on boolean,
                 is_urgent boolean, needs_verified boolean, needs jsonb)
"""
"""The catalogue as rows; `:kinds` is `kinds()` as JSON."""


@cache
def kinds() -> tuple[dict[str, Any], ...]:
    """What a statement must know of each template."""
    return tuple(
        {
            "template": template.value,
            "category": entry.category.value,
            "is_marketing": entry.is_marketing,
            "is_always_on": entry.category in ALWAYS_ON,
            "is_urgent": entry.is_urgent,
            "needs_verified": entry.needs_verified,
            "needs": sorted(missing_facts(template, {})),
        }
        for template, entry in CATALOGUE.items()
    )


_SUPPRESSED = """
    EXISTS (SELECT FROM notifications.email_suppressions s
             WHERE s.address_hash = sha256(convert_to(lower(u.email), 'UTF8'))
               AND s.lifted_at IS NULL AND {which})
"""

REFUSAL: Final = f"""
    CASE WHEN NOT u.is_active OR u.deleted_at IS NOT NULL THEN 'account_closed'
         WHEN {_SUPPRESSED.format(which="s.reason = 'HARD_BOUNCE'")} THEN 'bounced'
         WHEN NOT k.is_always_on AND (
              EXISTS (SELECT FROM notifications.notification_preferences p
                       WHERE p.user_id = u.id AND p.category = k.category AND NOT p.email)
              OR {_SUPPRESSED.format(which="s.category = k.category")}) THEN 'category_off'
         WHEN k.is_marketing AND u.marketing_opt_out THEN 'opted_out'
         WHEN k.is_marketing AND {_SUPPRESSED.format(which="s.reason = 'COMPLAINT'")}
              THEN 'complained'
         WHEN k.needs_verified AND u.email_verified_at IS NULL THEN 'unverified'
    END
"""
"""Why user `u` gets no mail of kind `k`, else NULL."""
