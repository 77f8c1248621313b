from __future__ import annotations

from datetime import timedelta

import pytest

from studypack.core.business_settings import BusinessSettings
from studypack.notifications.catalogue import missing_facts
from studypack.notifications.models import EmailTemplate
from tests.support import mail_lives as life
from tests.support.mail_lives import NOW, SETTINGS

pytestmark = pytest.mark.usefixtures("database_url")

HOUR, DAY, MINUTE = timedelta(hours=1), timedelta(days=1), timedelta(minutes=1)


def outcomes(user: object, template: str) -> list[tuple[str, str]]:
    return [
        (verdict, reason)
        for name, verdict, reason in life.decisions(user)  # type: ignore[arg-type]
        if name == template
    ]


def test_everything_that_is_queued_has_the_facts_of_its_template() -> None:
    user = life.person(signed_up=NOW - 3 * DAY - HOUR)
    life.event(user, "video_1_completed", NOW - 3 * DAY, **life.video())
    life.event(user, "module_completed", NOW - HOUR, **life.module())
    life.decide()
    newcomer = life.person(signed_up=NOW - DAY)
    life.decide()
    queued = life.queue(user) + life.queue(newcomer)
    assert {row.template for row in queued} >= {
        "ABANDONMENT_3",
        "MODULE_COMPLETE",
        "START_JOURNEY",
    }
    for row in queued:
        assert not missing_facts(EmailTemplate(row.template), row.data), row.template


def test_an_account_without_a_welcome_gets_it_once() -> None:
    user = life.person(signed_up=NOW - HOUR)
    assert life.decide() == 1
    assert life.decide() == 0
    assert outcomes(user, "WELCOME") == [("SEND", "due")]
    [row] = life.queue(user)
    assert (row.dedupe_key, row.status) == (f"WELCOME:{user}", "PENDING")


def test_who_signed_up_long_ago_is_not_welcomed_by_the_first_run() -> None:
    life.person(signed_up=NOW - 40 * DAY, last_login=NOW - DAY)
    assert life.decide() == 0


def test_a_journey_is_offered_a_day_after_sign_up_and_not_a_moment_before() -> None:
    user = life.person(signed_up=NOW - DAY)
    life.decide(NOW - MINUTE)
    assert outcomes(user, "START_JOURNEY") == []
    life.decide(NOW + MINUTE)
    assert outcomes(user, "START_JOURNEY") == [("SEND", "due")]


def test_who_began_a_first_video_is_not_asked_to() -> None:
    user = life.person(signed_up=NOW - DAY - HOUR)
    begun = life.event(user, "video_1_started", NOW - 2 * HOUR)
    life.decide()
    assert outcomes(user, "START_JOURNEY") == [("WITHHOLD", "started")]
    [row] = life.rows(
        "SELECT evidence FROM notifications.email_decisions WHERE user_id = :id"
        " AND template = 'START_JOURNEY'",
        id=user,
    )
    assert row.evidence["event_id"] == str(begun)


@pytest.mark.parametrize(
    ("details", "reason"),
    [
        ({"verified": False}, "unverified"),
        ({"opted_out": True}, "opted_out"),
        ({"active": False}, "account_closed"),
    ],
)
def test_marketing_is_withheld_with_the_reason_once(details: dict[str, bool], reason: str) -> None:
    user = life.person(signed_up=NOW - DAY - HOUR, **details)
    life.decide()
    life.decide(NOW + MINUTE)
    assert outcomes(user, "START_JOURNEY") == [("WITHHOLD", reason)]
    assert life.queue(user) == []


@pytest.mark.parametrize(
    ("after", "template"),
    [(HOUR, "ABANDONMENT_1"), (24 * HOUR, "ABANDONMENT_2"), (3 * DAY, "ABANDONMENT_3")],
)
def test_an_abandoned_course_is_recalled_after_an_hour_a_day_and_three(
    after: timedelta, template: str
) -> None:
    user = life.person(signed_up=NOW - after - 2 * HOUR)
    life.event(user, "video_1_completed", NOW - after, **life.video())
    life.decide(NOW - MINUTE)
    assert outcomes(user, template) == []
    life.decide()
    assert outcomes(user, template) == [("SEND", "due")]


def test_after_a_stop_only_the_latest_recall_goes() -> None:
    user = life.person(signed_up=NOW - 4 * DAY)
    life.event(user, "video_1_completed", NOW - 3 * DAY, **life.video())
    life.decide()
    assert [outcomes(user, f"ABANDONMENT_{n}") for n in (1, 2, 3)] == [
        [("WITHHOLD", "too_late")],
        [("WITHHOLD", "too_late")],
        [("SEND", "due")],
    ]


def test_only_the_first_video_of_a_user_counts() -> None:
    user = life.person(signed_up=NOW - 30 * DAY, last_login=NOW - DAY)
    life.event(user, "video_1_completed", NOW - 20 * DAY, **life.video())
    life.event(user, "video_1_completed", NOW - 2 * HOUR, **life.video())
    assert life.decide() == 0


def test_who_subscribed_is_not_recalled() -> None:
    user = life.person(signed_up=NOW - 3 * HOUR)
    life.event(user, "video_1_completed", NOW - 2 * HOUR, **life.video())
    life.subscribe(user, ends=NOW + 29 * DAY)
    life.decide()
    assert outcomes(user, "ABANDONMENT_1") == [("WITHHOLD", "subscribed")]


def test_an_override_counts_as_a_subscription() -> None:
    user = life.person(signed_up=NOW - 3 * HOUR, override=True)
    life.event(user, "video_1_completed", NOW - 2 * HOUR, **life.video())
    life.decide()
    assert outcomes(user, "ABANDONMENT_1") == [("WITHHOLD", "subscribed")]


def test_a_subscription_that_has_ended_by_now_does_not_count() -> None:
    user = life.person(signed_up=NOW - 90 * DAY, last_login=NOW)
    life.subscribe(user, ends=NOW - 40 * DAY)
    life.event(user, "video_1_completed", NOW - 2 * HOUR, **life.video())
    life.decide()
    assert outcomes(user, "ABANDONMENT_1") == [("SEND", "due")]


def test_nobody_is_asked_to_pay_while_courses_are_free() -> None:
    user = life.person(signed_up=NOW - 3 * HOUR)
    life.event(user, "video_1_completed", NOW - 2 * HOUR, **life.video())
    life.decide(NOW, BusinessSettings(free_plan_features=frozenset({"courses"})))
    assert outcomes(user, "ABANDONMENT_1") == [("WITHHOLD", "free_plan")]


def test_an_event_without_its_facts_makes_no_mail_that_would_fail() -> None:
    user = life.person(signed_up=NOW - 3 * HOUR)
    life.event(user, "video_1_completed", NOW - 2 * HOUR)
    life.decide()
    assert outcomes(user, "ABANDONMENT_1") == [("WITHHOLD", "facts_missing")]


def test_nobodys_events_and_events_to_come_are_passed_over() -> None:
    user = life.person(signed_up=NOW - DAY / 2)
    life.event(None, "video_1_completed", NOW - 2 * HOUR, **life.video())
    life.event(user, "video_1_completed", NOW + HOUR, **life.video())
    life.decide()
    assert [name for name, *_ in life.decisions(user)] == ["WELCOME"]


def test_a_module_is_told_of_once_however_often_it_is_completed() -> None:
    user = life.person(signed_up=NOW - 30 * DAY, last_login=NOW)
    for hours in (3, 2, 1):
        life.event(user, "module_completed", NOW - hours * HOUR, **life.module())
    life.event(user, "module_completed", NOW - HOUR, **life.module(1))
    life.decide()
    life.decide()
    assert outcomes(user, "MODULE_COMPLETE") == [("SEND", "due")] * 2


def test_a_module_event_without_a_usable_id_is_passed_over() -> None:
    user = life.person(signed_up=NOW - 30 * DAY, last_login=NOW)
    for bad in ("", "x" * 65, None):
        life.event(user, "module_completed", NOW - HOUR, **life.module(module_id=bad))
    assert life.decide() == 0


def test_who_stayed_away_for_a_week_is_nudged_once_for_each_absence() -> None:
    user = life.person(signed_up=NOW - 60 * DAY, last_login=NOW - 7 * DAY)
    life.decide(NOW - MINUTE)
    assert outcomes(user, "INACTIVE_NUDGE") == []
    life.decide()
    life.decide(NOW + 3 * DAY)
    assert outcomes(user, "INACTIVE_NUDGE") == [("SEND", "due")]
    life.execute("UPDATE auth.users SET last_login_at = :at WHERE id = :id", at=NOW + DAY, id=user)
    life.decide(NOW + 8 * DAY)
    assert outcomes(user, "INACTIVE_NUDGE") == [("SEND", "due")] * 2


@pytest.mark.parametrize("seen", ["session", "study"])
def test_being_seen_or_studying_counts_as_being_here(seen: str) -> None:
    user = life.person(signed_up=NOW - 60 * DAY, last_login=NOW - 10 * DAY)
    if seen == "session":
        life.execute(
            "INSERT INTO auth.sessions (id, user_id, token_hash, expires_at, last_seen_at)"
            " VALUES (gen_random_uuid(), :id, '\\x00', :end, :at)",
            id=user,
            end=NOW + DAY,
            at=NOW - 6 * DAY,
        )
    else:
        life.execute(
            "INSERT INTO activity.user_activities (id, user_id, type, description, created_at)"
            " VALUES (public.uuid7(:at), :id, 'exam.submitted', '', :at)",
            id=user,
            at=NOW - 6 * DAY,
        )
    assert life.decide() == 0


def test_an_absence_is_one_also_when_its_session_is_removed() -> None:
    user = life.person(signed_up=NOW - 60 * DAY, last_login=NOW - 10 * DAY)
    life.execute(
        "INSERT INTO auth.sessions (id, user_id, token_hash, expires_at, last_seen_at)"
        " VALUES (gen_random_uuid(), :id, '\\x00', :end, :at)",
        id=user,
        end=NOW + DAY,
        at=NOW - 8 * DAY,
    )
    life.decide()
    life.execute("DELETE FROM auth.sessions WHERE user_id = :id", id=user)
    life.decide(NOW + HOUR)
    assert outcomes(user, "INACTIVE_NUDGE") == [("SEND", "due")]


def test_who_last_came_with_a_session_of_long_ago_is_nudged_too() -> None:
    logged_in = NOW - 7 * DAY - timedelta(days=SETTINGS.session_days)
    user = life.person(signed_up=NOW - 60 * DAY, last_login=logged_in)
    life.execute(
        "INSERT INTO activity.user_activities (id, user_id, type, description, created_at)"
        " VALUES (public.uuid7(:at), :id, 'exam.submitted', '', :at)",
        id=user,
        at=NOW - 8 * DAY,
    )
    life.decide()
    assert outcomes(user, "INACTIVE_NUDGE") == [("SEND", "due")]


def test_who_left_before_the_look_back_is_not_nudged() -> None:
    life.person(signed_up=NOW - 90 * DAY, last_login=NOW - 22 * DAY)
    assert life.decide() == 0


def test_a_renewal_is_told_three_days_before_once_a_period() -> None:
    user = life.person(signed_up=NOW - 60 * DAY, last_login=NOW)
    subscription = life.subscribe(user, ends=NOW + 3 * DAY)
    life.decide(NOW - MINUTE)
    assert life.decisions(user) == []
    life.decide()
    life.decide(NOW + DAY)
    assert outcomes(user, "RENEWAL_REMINDER") == [("SEND", "due")]
    [row] = life.queue(user)
    assert row.data["amount"] == "49.00 USD"
    life.execute(
        "UPDATE payments.subscriptions SET current_period_end = :end WHERE id = :id",
        end=NOW + 33 * DAY,
        id=subscription,
    )
    life.decide(NOW + 31 * DAY)
    assert outcomes(user, "RENEWAL_REMINDER") == [("SEND", "due")] * 2


def test_no_reminder_of_a_renewal_that_will_not_be_until_it_will_be() -> None:
    user = life.person(signed_up=NOW - 60 * DAY, last_login=NOW)
    life.subscribe(user, ends=NOW + 2 * DAY, cancel_at_period_end=True)
    life.decide()
    life.decide()
    assert outcomes(user, "RENEWAL_REMINDER") == [("WITHHOLD", "canceling")]
    life.execute("UPDATE payments.subscriptions SET cancel_at_period_end = false")
    life.decide(NOW + HOUR)
    assert outcomes(user, "RENEWAL_REMINDER") == [("WITHHOLD", "canceling"), ("SEND", "due")]


def test_a_batch_is_bounded_and_the_next_goes_on() -> None:
    from studypack.lifecycle import onboarding

    for _ in range(5):
        life.person(signed_up=NOW - HOUR)
    [welcome, _] = onboarding.TRIGGERS
    from studypack.core.database import transaction

    sizes = []
    for _ in range(4):
        with transaction() as session:
            sizes.append(welcome.decide(session, life.moment(), size=2).decisions)
    assert sizes == [2, 2, 1, 0]
