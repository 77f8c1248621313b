"""The tables of conditions as functions, and what they share with the statements."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from studypack.billing.money import THREE_DECIMAL, ZERO_DECIMAL, format_money
from studypack.core.business_settings import BusinessSettings
from studypack.core.database import transaction
from studypack.lifecycle.abandonment import STEPS, abandonment
from studypack.lifecycle.explaining import REASONS
from studypack.lifecycle.facts import money
from studypack.lifecycle.onboarding import start_journey
from tests.local.test_simulate import CANCELLED_FOR
from tests.support import mail_lives as life
from tests.support.mail_lives import NOW

MINUTE = timedelta(minutes=1)
AGES = [0, 59, 60, 61, 1_439, 1_440, 4_319, 4_320, 4_321, 8_639, 8_640]
"""Minutes since the video, around every edge."""


@given(minutes=st.integers(0, 10_000))
def test_of_the_recalls_at_most_one_is_due_at_any_time(minutes: int) -> None:
    answers = [
        abandonment(step, NOW - minutes * MINUTE, subscribed=False, now=NOW) for step in STEPS
    ]
    assert answers.count("due") <= 1
    assert (answers.count("due") == 1) == (60 <= minutes < 6 * 24 * 60)


@pytest.mark.usefixtures("database_url")
@pytest.mark.parametrize("subscribed", [True, False])
def test_the_statement_on_recalls_says_what_the_function_says(subscribed: bool) -> None:
    people = {
        minutes: life.person(signed_up=NOW - timedelta(days=30), override=subscribed)
        for minutes in AGES
    }
    for minutes, user in people.items():
        life.event(user, "video_1_completed", NOW - minutes * MINUTE, **life.video())
    life.decide()
    for minutes, user in people.items():
        found = {name: reason for name, _, reason in life.decisions(user)}
        for step in STEPS:
            expected = abandonment(step, NOW - minutes * MINUTE, subscribed=subscribed, now=NOW)
            assert found.get(step.value) == expected, (minutes, step)


@pytest.mark.usefixtures("database_url")
@pytest.mark.parametrize("has_lesson", [True, False])
@pytest.mark.parametrize("started", [True, False])
def test_the_statement_on_the_journey_says_what_the_function_says(
    started: bool, has_lesson: bool
) -> None:
    if not has_lesson:
        life.execute("UPDATE learning.lessons SET is_free = false")
    ages = [0, 1_439, 1_440, 1_441, 5_759, 5_760, 5_761]
    people = {minutes: life.person(signed_up=NOW - minutes * MINUTE) for minutes in ages}
    if started:
        for user in people.values():
            life.event(user, "video_1_started", NOW)
    life.decide(NOW, BusinessSettings())
    for minutes, user in people.items():
        found = {name: reason for name, _, reason in life.decisions(user)}
        expected = start_journey(
            NOW - minutes * MINUTE, NOW if started else None, has_lesson=has_lesson, now=NOW
        )
        assert found.get("START_JOURNEY") == expected, minutes


@pytest.mark.usefixtures("database_url")
def test_amounts_are_written_as_elsewhere() -> None:
    currencies = ["usd", *sorted(ZERO_DECIMAL)[:2], *sorted(THREE_DECIMAL)[:2]]
    amounts = [0, 5, 99, 100, 4_900, 123_456, 99_999_999]
    with transaction() as session:
        for currency in currencies:
            for amount in amounts:
                written = session.scalar(
                    text(f"SELECT {money('CAST(:amount AS bigint)', 'CAST(:currency AS text)')}"),
                    {"amount": amount, "currency": currency},
                )
                assert written == format_money(amount, currency)


def test_every_reason_to_take_a_mail_back_has_words() -> None:
    assert REASONS.keys() >= CANCELLED_FOR
