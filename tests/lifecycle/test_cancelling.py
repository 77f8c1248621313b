from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.support import mail_lives as life
from tests.support.mail_lives import NOW

pytestmark = pytest.mark.usefixtures("database_url")

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LATER = NOW + HOUR


def status(user: UUID, template: str) -> tuple[str, str | None]:
    [row] = [row for row in life.queue(user) if row.template == template]
    return row.status, row.status_reason


def waiting(template: str) -> UUID:
    """Somebody for whom this mail waits since now."""
    ages = {"START_JOURNEY": DAY, "INACTIVE_NUDGE": 7 * DAY, "MODULE_COMPLETE": 60 * DAY}
    away = template == "INACTIVE_NUDGE"
    age = 60 * DAY if away else ages.get(template, 30 * DAY)
    user = life.person(signed_up=NOW - age, last_login=NOW - (7 * DAY if away else 2 * HOUR))
    if template == "ABANDONMENT_1":
        life.event(user, "video_1_completed", NOW - HOUR, **life.video())
    if template == "MODULE_COMPLETE":
        life.event(user, "module_completed", NOW - HOUR, **life.module())
    if template == "RENEWAL_REMINDER":
        life.subscribe(user, ends=NOW + 2 * DAY)
    life.decide()
    assert status(user, template) == ("PENDING", None)
    return user


def subscribe(user: UUID) -> None:
    life.subscribe(user, ends=NOW + 30 * DAY)


def start(user: UUID) -> None:
    life.event(user, "video_1_started", NOW + HOUR / 2)


def log_in(user: UUID) -> None:
    life.execute("UPDATE auth.users SET last_login_at = :at WHERE id = :id", at=LATER, id=user)


def reset(user: UUID) -> None:
    life.event(user, "module_reset", NOW + HOUR / 2, module_id=life.module()["module_id"])


def renew(user: UUID) -> None:
    life.execute(
        "UPDATE payments.subscriptions SET current_period_end = :at WHERE user_id = :id",
        at=NOW + 32 * DAY,
        id=user,
    )


def end_it(user: UUID) -> None:
    life.execute(
        "UPDATE payments.subscriptions SET cancel_at_period_end = true WHERE user_id = :id", id=user
    )


def opt_out(user: UUID) -> None:
    life.execute("UPDATE auth.users SET marketing_opt_out = true WHERE id = :id", id=user)


def close(user: UUID) -> None:
    life.execute("UPDATE auth.users SET is_active = false WHERE id = :id", id=user)


def switch_off(user: UUID) -> None:
    life.execute(
        "INSERT INTO notifications.notification_preferences (id, user_id, category, email)"
        " SELECT gen_random_uuid(), :id, category, false"
        " FROM unnest(ARRAY['LEARNING', 'REMINDERS', 'MARKETING']) AS category",
        id=user,
    )


def suppress(reason: str) -> Callable[[UUID], None]:
    def do(user: UUID) -> None:
        life.execute(
            "INSERT INTO notifications.email_suppressions (id, address_hash, reason)"
            " SELECT gen_random_uuid(), sha256(convert_to(lower(email), 'UTF8')), :reason"
            " FROM auth.users WHERE id = :id",
            reason=reason,
            id=user,
        )

    return do


@pytest.mark.parametrize(
    ("template", "change", "reason"),
    [
        ("ABANDONMENT_1", subscribe, "subscribed"),
        ("START_JOURNEY", start, "started"),
        ("INACTIVE_NUDGE", log_in, "logged_in"),
        ("MODULE_COMPLETE", reset, "module_reset"),
        ("RENEWAL_REMINDER", renew, "renewed"),
        ("RENEWAL_REMINDER", end_it, "canceled"),
        ("ABANDONMENT_1", opt_out, "opted_out"),
        ("INACTIVE_NUDGE", switch_off, "category_off"),
        ("MODULE_COMPLETE", close, "account_closed"),
        ("START_JOURNEY", suppress("COMPLAINT"), "complained"),
        ("RENEWAL_REMINDER", suppress("HARD_BOUNCE"), "bounced"),
    ],
)
def test_a_waiting_mail_is_taken_back_when_its_reason_has_gone(
    template: str, change: Callable[[UUID], None], reason: str
) -> None:
    user, other = waiting(template), waiting(template)
    assert life.cancel(LATER) == 0
    change(user)
    assert life.cancel(LATER) >= 1
    assert status(user, template) == ("CANCELLED", reason)
    assert (template, "CANCEL", reason) in life.decisions(user)
    assert status(other, template) == ("PENDING", None)
    assert life.cancel(LATER) == 0


@pytest.mark.parametrize(
    "changes",
    [{"leased_until": LATER + HOUR}, {"sending_since": NOW}, {"status": "SENT"}],
    ids=["leased", "being sent", "sent"],
)
def test_what_a_sender_holds_or_has_sent_is_left_alone(changes: dict[str, Any]) -> None:
    user = waiting("ABANDONMENT_1")
    [(name, value)] = changes.items()
    life.execute(
        f"UPDATE notifications.email_queue SET {name} = :value WHERE template = 'ABANDONMENT_1'",
        value=value,
    )
    subscribe(user)
    assert life.cancel(LATER) == 0


def test_a_lease_that_ran_out_before_sending_began_does_not_hold_a_mail() -> None:
    user = waiting("ABANDONMENT_1")
    life.execute("UPDATE notifications.email_queue SET leased_until = :at", at=NOW)
    subscribe(user)
    life.cancel(LATER)
    assert status(user, "ABANDONMENT_1") == ("CANCELLED", "subscribed")


def test_a_recall_that_still_waits_when_the_next_one_comes_up_gives_way() -> None:
    user = waiting("ABANDONMENT_1")
    life.decide(NOW + 23 * HOUR)
    life.cancel(NOW + 23 * HOUR)
    assert status(user, "ABANDONMENT_1") == ("CANCELLED", "superseded")
    assert status(user, "ABANDONMENT_2") == ("PENDING", None)


def test_links_are_blanked_when_a_mail_is_taken_back() -> None:
    user = waiting("ABANDONMENT_1")
    life.execute("""UPDATE notifications.email_queue SET data = data || '{"link": "https://x"}'""")
    subscribe(user)
    life.cancel(LATER)
    [row] = [row for row in life.queue(user) if row.template == "ABANDONMENT_1"]
    assert "link" not in row.data
