"""Every mail by its template: what it is about, whether it may be switched off, who waits for it,
and which facts must come with it. Nothing here asks a database.

Three kinds of facts reach a template (emails/render.py):
- `needs` and `may_have` below: keys of the queue row's `data`, written by whoever enqueues it. What
  people read is written there as text that is ready to print (`amount` is "49.00 USD"); a moment is
  ISO 8601 with its offset and is shown in the reader's time zone; a path's part (`course_slug`,
  `lesson_id`, `code`) is bare. A key that is needed and absent stops the mail: StrictUndefined.
- what every mail gets of its reader and its sender: `emails.render.context`.
- ids (`purchase_id`, ...) that no template prints; they may be there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from studypack.notifications.models import Category
from studypack.notifications.models import EmailTemplate as T
from studypack.notifications.policy import ALWAYS_ON, Mail


@dataclass(frozen=True)
class Entry(Mail):
    """One template: what policy.py rules on, and what it takes to send it."""

    is_urgent: bool = False
    """Somebody waits for it: sent at once, before all others."""
    is_to_another: bool = False
    """Its reader is not the row's user, who only caused it: none of the user's facts fit, above all
    not the name and the unsubscribe link.
    """
    needs: frozenset[str] = frozenset()
    """Keys that `data` must have."""
    may_have: frozenset[str] = frozenset()
    """Keys that it may have; what they say is left out without them."""

    @property
    def needs_verified(self) -> bool:
        """Whether it goes only to an address that was verified: what nobody asked for does."""
        return self.is_marketing

    @property
    def can_be_unsubscribed(self) -> bool:
        """Whether it carries a link, and headers, to unsubscribe from its category."""
        return self.category not in ALWAYS_ON


def _account(*needs: str, is_urgent: bool = True) -> Entry:
    return Entry(Category.ACCOUNT, False, is_urgent=is_urgent, needs=frozenset(needs))


def _billing(
    *needs: str,
    may_have: tuple[str, ...] = (),
    is_urgent: bool = False,
    is_to_another: bool = False,
) -> Entry:
    return Entry(
        Category.BILLING,
        False,
        is_urgent=is_urgent,
        is_to_another=is_to_another,
        needs=frozenset(needs),
        may_have=frozenset(may_have),
    )


def _told(category: Category, *needs: str, may_have: tuple[str, ...] = ()) -> Entry:
    return Entry(category, False, needs=frozenset(needs), may_have=frozenset(may_have))


def _marketing(category: Category, *needs: str, may_have: tuple[str, ...] = ()) -> Entry:
    return Entry(category, True, needs=frozenset(needs), may_have=frozenset(may_have))


def _after_first_video() -> Entry:
    return _marketing(
        Category.MARKETING,
        "course_title",
        "course_slug",
        "lesson_title",
        may_have=("next_lesson_title", "lesson_count", "price"),
    )


CATALOGUE: Final[dict[T, Entry]] = {
    T.WELCOME: _account(is_urgent=False),
    T.START_JOURNEY: _marketing(
        Category.MARKETING,
        "course_title",
        "lesson_title",
        "lesson_id",
        may_have=("lesson_minutes",),
    ),
    T.ABANDONMENT_1: _after_first_video(),
    T.ABANDONMENT_2: _after_first_video(),
    T.ABANDONMENT_3: _after_first_video(),
    T.MODULE_COMPLETE: _told(
        Category.LEARNING,
        "module_title",
        "course_title",
        "course_slug",
        "course_percent",
        may_have=("next_module_title",),
    ),
    T.INACTIVE_NUDGE: _marketing(
        Category.REMINDERS, may_have=("course_title", "next_lesson_title", "lesson_id")
    ),
    T.RENEWAL_REMINDER: _billing("product_name", "amount", "renews_at"),
    T.PAYMENT_FAILED: _billing(
        "product_name",
        "amount",
        may_have=("number", "next_attempt_at", "access_until"),
        is_urgent=True,
    ),
    T.PAYMENT_FAILED_FINAL: _billing(
        "product_name", "amount", may_have=("number", "access_until"), is_urgent=True
    ),
    T.VERIFY_EMAIL: _account("link"),
    T.CONFIRM_EMAIL_CHANGE: _account("link", "new_email"),
    T.EMAIL_CHANGED: _account(),
    T.RESET_PASSWORD: _account("link"),
    T.PASSWORD_CHANGED: _account(),
    T.PROVIDER_LINKED: _account("provider"),
    T.PROVIDER_UNLINKED: _account("provider"),
    T.TOTP_ENABLED: _account(),
    T.TOTP_DISABLED: _account(),
    T.RECEIPT: _billing(
        "product_name",
        "amount",
        "paid_at",
        may_have=("number", "tax", "access_until", "renews_at"),
        is_urgent=True,
    ),
    T.REFUND: _billing(
        "product_name",
        "amount",
        "refunded_at",
        may_have=("number", "access_ended"),
        is_urgent=True,
    ),
    T.TRIAL_ENDING: _billing("product_name", "amount", "trial_end", may_have=("will_cancel",)),
    T.SEAT_INVITATION: _billing(
        "link",
        "inviter_name",
        "product_name",
        may_have=("expires_at", "inviter_email"),
        is_urgent=True,
        is_to_another=True,
    ),
    T.CERTIFICATE: _told(Category.LEARNING, "course_title", "code"),
    T.FRIEND_REQUEST: _told(Category.SOCIAL, "requester_name"),
    T.ACHIEVEMENT_DIGEST: _marketing(Category.REMINDERS, "achievements", may_have=("xp",)),
    T.WEEKLY_DIGEST: _marketing(
        Category.REMINDERS,
        "week_start",
        "week_end",
        "study_days",
        "study_minutes",
        "lessons_completed",
        "questions_answered",
        may_have=(
            "goal_minutes",
            "streak_days",
            "xp",
            "course_title",
            "next_lesson_title",
            "lesson_id",
        ),
    ),
    T.BROADCAST: _marketing(Category.MARKETING, "subject", "body"),
}
"""`achievements` is a list of {title, description}; `study_days` seven booleans from Monday; `body`
is Markdown; `provider` is GOOGLE or GITHUB; `week_start` and `week_end` are dates, both included.
"""


def missing_facts(template: T, data: Mapping[str, Any]) -> frozenset[str]:
    """Keys that the template needs and `data` lacks or has as None."""
    return frozenset(key for key in CATALOGUE[template].needs if data.get(key) is None)
