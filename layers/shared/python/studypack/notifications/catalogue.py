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

from dataclasses import dataclass
from typing import Final

from studypack.notifications.tables.emails import EmailTemplate as T
from studypack.notifications.tables.suppressions import Category

FIXED: Final = frozenset({Category.ACCOUNT, Category.BILLING})
"""Categories that cannot be switched off: only a hard bounce stops their mails."""


@dataclass(frozen=True, slots=True)
class Mail:
    """The rules of one template."""

    category: Category
    is_marketing: bool = False
    """It wants something of its reader: respects `users.marketing_opt_out`, complaints, quiet hours
    and the weekly limit, beside the switch of its category.
    """
    is_urgent: bool = False
    """Somebody waits for it: sent at once, before all others."""
    needs_verified: bool = False
    """Goes only to an account whose address was verified."""
    is_to_another: bool = False
    """Its reader is not the row's user, who only caused it: none of the user's facts fit, above all
    not the name and the unsubscribe link.
    """
    needs: frozenset[str] = frozenset()
    """Keys that `data` must have."""
    may_have: frozenset[str] = frozenset()
    """Keys that it may have; what they say is left out without them."""

    @property
    def can_be_unsubscribed(self) -> bool:
        """Whether it carries a link, and headers, to unsubscribe from its category."""
        return self.category not in FIXED


def _account(*needs: str, is_urgent: bool = True) -> Mail:
    return Mail(Category.ACCOUNT, is_urgent=is_urgent, needs=frozenset(needs))


def _billing(*needs: str, may_have: tuple[str, ...] = (), is_urgent: bool = False) -> Mail:
    return Mail(
        Category.BILLING,
        is_urgent=is_urgent,
        needs=frozenset(needs),
        may_have=frozenset(may_have),
    )


def _learning(*needs: str, may_have: tuple[str, ...] = ()) -> Mail:
    return Mail(Category.LEARNING, needs=frozenset(needs), may_have=frozenset(may_have))


def _marketing(category: Category, *needs: str, may_have: tuple[str, ...] = ()) -> Mail:
    return Mail(
        category,
        is_marketing=True,
        needs_verified=True,
        needs=frozenset(needs),
        may_have=frozenset(may_have),
    )


def _after_first_video() -> Mail:
    return _marketing(
        Category.MARKETING,
        "course_title",
        "course_slug",
        "lesson_title",
        may_have=("next_lesson_title", "lesson_count", "price"),
    )


CATALOGUE: Final[dict[T, Mail]] = {
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
    T.MODULE_COMPLETE: _learning(
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
    T.SEAT_INVITATION: Mail(
        Category.BILLING,
        is_urgent=True,
        is_to_another=True,
        needs=frozenset({"link", "inviter_name", "product_name"}),
        may_have=frozenset({"expires_at"}),
    ),
    T.CERTIFICATE: _learning("course_title", "code"),
    T.FRIEND_REQUEST: Mail(
        Category.SOCIAL, needs_verified=True, needs=frozenset({"requester_name"})
    ),
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


def missing_facts(template: T, data: dict[str, object]) -> frozenset[str]:
    """Keys that the template needs and `data` lacks."""
    return CATALOGUE[template].needs - data.keys()
