"""The lifecycle, played: every scenario ends as it says, and together they reach everything."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from local.simulate.play import Kind, Played, play
from local.simulate.scenario import Scenario, moment, read
from tests.conftest import STATE

SEED_002 = {
    "WELCOME",
    "START_JOURNEY",
    "ABANDONMENT_1",
    "ABANDONMENT_2",
    "ABANDONMENT_3",
    "MODULE_COMPLETE",
    "INACTIVE_NUDGE",
    "RENEWAL_REMINDER",
    "PAYMENT_FAILED",
    "PAYMENT_FAILED_FINAL",
}
CANCELLED_FOR = {
    "subscribed",
    "started",
    "logged_in",
    "paid",
    "renewed",
    "canceled",
    "opted_out",
    "category_off",
    "complained",
    "bounced",
    "account_closed",
    "module_reset",
    "superseded",
    "too_late",
    "broadcast_stopped",
}


@pytest.fixture(scope="module")
def all_played(cluster: object) -> dict[str, Played]:
    """All scenarios under one clock."""
    played = play(read(), Path(STATE))
    return {each.scenario.name: each for each in played}


@pytest.mark.parametrize("name", [each.name for each in read()])
def test_a_scenario_ends_as_it_says(all_played: dict[str, Played], name: str) -> None:
    assert all_played[name].differences == []


def test_each_of_the_ten_mails_is_sent_and_each_reason_to_take_one_back_occurs(
    all_played: dict[str, Played],
) -> None:
    sent = {template for each in all_played.values() for template in each.sent}
    reasons = {
        entry.reason
        for each in all_played.values()
        for entry in each.entries
        if entry.kind is Kind.CANCEL
    }
    assert sent >= SEED_002
    assert reasons == CANCELLED_FOR


def test_no_mail_goes_at_night_or_a_fourth_time_in_a_week(all_played: dict[str, Played]) -> None:
    marketing = {"START_JOURNEY", "INACTIVE_NUDGE", "WEEKLY_DIGEST", "BROADCAST"}
    marketing |= {f"ABANDONMENT_{n}" for n in (1, 2, 3)}
    for played in all_played.values():
        times = [
            entry.at
            for entry in played.entries
            if entry.kind is Kind.MAIL and entry.what in marketing
        ]
        for third, fourth in zip(times[:-3], times[3:], strict=False):
            assert (fourth - third).days >= 7, played.scenario.name
        if played.scenario.timezone == "UTC":
            assert all(8 <= at.hour < 21 for at in times), played.scenario.name


def test_what_happens_otherwise_than_a_scenario_says_is_told() -> None:
    [scenario] = read(["newcomer"])
    nothing = Played(scenario, [])
    assert nothing.differences == [f"sent [], expected {list(scenario.expect.sent)}"]


def test_a_moment_is_a_day_and_a_time() -> None:
    assert moment("day 2, 14:05") == datetime(2026, 3, 3, 14, 5, tzinfo=UTC)
    with pytest.raises(ValueError, match="is not like"):
        moment("tomorrow")


def test_a_scenario_that_is_not_there_or_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="no scenario nobody"):
        read(["nobody"])
    with pytest.raises(ValueError, match="is not like"):
        Scenario.model_validate(
            {"name": "x", "story": "", "until": "soon", "steps": [], "expect": {}}
        )


def test_mails_about_courses_come_of_what_was_done_in_them(all_played: dict[str, Played]) -> None:
    """By the courses' own services: a story writes no event of theirs itself."""
    learned = all_played["learns"]
    subjects = {entry.what: entry.detail for entry in learned.entries if entry.kind is Kind.MAIL}
    assert subjects["CERTIFICATE"] == "Your certificate for Anatomy"
    assert subjects["WEEKLY_DIGEST"] == "Your week: 46 minutes of study"  # 9 + 10 + 12 + 15
    modules = [entry.detail for entry in learned.entries if entry.what == "MODULE_COMPLETE"]
    assert {detail for detail in modules if detail} == {
        "Module done: The skeleton",
        "Module done: Muscles",
        "Module done: Nerves",
    }
