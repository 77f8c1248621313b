from __future__ import annotations

import pytest

from studypack.notifications.catalogue import CATALOGUE, missing_facts
from studypack.notifications.models import Category, EmailTemplate
from studypack.notifications.policy import ALWAYS_ON

T = EmailTemplate

SEEDS_MARKETING = {
    T.START_JOURNEY,
    T.ABANDONMENT_1,
    T.ABANDONMENT_2,
    T.ABANDONMENT_3,
    T.INACTIVE_NUDGE,
    T.WEEKLY_DIGEST,
    T.ACHIEVEMENT_DIGEST,
    T.BROADCAST,
}
"""domain.md, "E-mail", and what an owner writes to many."""


def test_every_template_is_in_the_catalogue() -> None:
    assert set(CATALOGUE) == set(EmailTemplate)


def test_marketing_is_what_the_domain_says() -> None:
    assert {template for template in T if CATALOGUE[template].is_marketing} == SEEDS_MARKETING


@pytest.mark.parametrize("template", list(T))
def test_what_nobody_asked_for_waits_for_nobody_and_can_be_stopped(template: T) -> None:
    entry = CATALOGUE[template]
    if entry.is_marketing:
        assert not entry.is_urgent
        assert entry.needs_verified
        assert entry.can_be_unsubscribed
    assert entry.can_be_unsubscribed is (entry.category not in ALWAYS_ON)


@pytest.mark.parametrize(
    "template",
    [
        T.VERIFY_EMAIL,
        T.CONFIRM_EMAIL_CHANGE,
        T.RESET_PASSWORD,
        T.PASSWORD_CHANGED,
        T.RECEIPT,
        T.REFUND,
        T.SEAT_INVITATION,
    ],
)
def test_what_somebody_waits_for_is_urgent(template: T) -> None:
    assert CATALOGUE[template].is_urgent


def test_mails_about_friends_are_social() -> None:
    assert CATALOGUE[T.FRIEND_REQUEST].category is Category.SOCIAL


def test_no_fact_is_both_needed_and_optional() -> None:
    assert not [t for t in T if CATALOGUE[t].needs & CATALOGUE[t].may_have]


def test_missing_facts_are_named() -> None:
    assert missing_facts(T.CERTIFICATE, {"code": "x", "certificate_id": "y"}) == {"course_title"}
    assert missing_facts(T.CERTIFICATE, {"code": None, "course_title": "Python"}) == {"code"}
    assert not missing_facts(T.WELCOME, {})
