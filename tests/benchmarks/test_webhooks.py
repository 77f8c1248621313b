"""The webhook benchmark still runs, on lives too short to say how fast anything is."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchmarks import pairs, stripe_answers, stripe_lifecycle, webhooks
from benchmarks.application import Databases
from benchmarks.djstripe import environment
from benchmarks.report import Report

ROUNDS = pairs.MINIMUM_PAIRS
NAMES = [
    "events",
    "events, Stripe answering in 1 ms",
    "statements",
    "round trips to PostgreSQL",
    "refetches from Stripe",
]


@pytest.fixture
def databases(cluster: Any, template_database: str) -> Databases:
    """The tests' own template in place of one made for benchmarks."""
    return Databases(cluster, template_database)


@pytest.fixture
def progress() -> Callable[[int, int], None]:
    return lambda _done, _total: None


@pytest.fixture
def recording(tmp_path: Path) -> stripe_lifecycle.Recording:
    return stripe_lifecycle.record(tmp_path / "stripe.sqlite", 1)


def printed(report: Report, folder: Path) -> tuple[str, list[dict[str, Any]]]:
    """What is shown, and what is written."""
    written = io.StringIO()
    report.show(Console(file=written, width=500))
    rows: list[dict[str, Any]] = json.loads(report.write(folder).read_text(encoding="utf-8"))
    return written.getvalue(), rows


@pytest.mark.beside_others
def test_both_webhooks_take_the_same_events_and_know_the_same_of_the_money(
    databases: Databases,
    progress: Callable[[int, int], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    try:
        environment.ensure()
    except environment.NotMade as error:
        pytest.fail(f"dj-stripe's environment could not be made: {error}")
    monkeypatch.setattr(webhooks, "LATE_MILLISECONDS", 1)

    report = webhooks.run(databases, progress, rounds=ROUNDS, whole=False)

    shown, rows = printed(report, tmp_path)
    assert [row["name"] for row in rows] == NAMES
    assert all(row["other"] > 0 for row in rows)
    assert all(row["ours"] > 0 for row in rows if row["name"] != "refetches from Stripe")
    assert "dj-stripe 2." in report.other
    assert "all sent again: ours changed no row, dj-stripe djstripe_webhookeventtrigger (+" in shown


def test_without_its_environment_the_report_says_that_dj_stripe_was_not_measured(
    databases: Databases,
    progress: Callable[[int, int], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    def fail() -> Path:
        raise environment.NotMade("no network")

    monkeypatch.setattr(environment, "ensure", fail)

    report = webhooks.run(databases, progress, rounds=1, whole=False)

    shown, rows = printed(report, tmp_path)
    assert "NOT MEASURED: dj-stripe's environment could not be made (no network)" in shown
    assert [row["other"] for row in rows] == [None] * len(rows)
    assert all(row["ours"] > 0 for row in rows if row["name"] != "refetches from Stripe")
    assert "all sent again: ours changed no row" in shown


def test_a_side_that_differs_from_stripe_ends_the_run(
    databases: Databases, progress: Callable[[int, int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> Path:
        raise environment.NotMade("not needed")

    monkeypatch.setattr(environment, "ensure", fail)
    monkeypatch.setattr(webhooks, "_truth", lambda _: {"sub_never_told": "active"})

    with pytest.raises(webhooks.Unequal, match="sub_never_told"):
        webhooks.run(databases, progress, rounds=1, whole=False)


def test_a_whole_life_has_every_chapter(recording: stripe_lifecycle.Recording) -> None:
    [life] = recording.lives
    told = {event["type"] for event in life.events}

    assert {
        "checkout.session.completed",
        "charge.refunded",
        "charge.dispute.closed",
        "customer.subscription.trial_will_end",
        "customer.subscription.deleted",
        "customer.updated",
        "invoice.paid",
        "invoice.payment_failed",
        "payment_intent.payment_failed",
        "payment_method.attached",
        "payment_method.detached",
    } <= told


def test_refetches_are_answered_counted_and_late_when_told_to_be(
    recording: stripe_lifecycle.Recording,
) -> None:
    customer = recording.lives[0].stripe_customer_id
    with stripe_answers.answering(recording.path) as address:
        path = f"/v1/customers/{customer}?expand[]=default_source&expand[]=sources"
        assert stripe_answers.ask(address, path)["id"] == customer
        with stripe_answers.late(address, 100):
            started = time.perf_counter()
            stripe_answers.ask(address, "/v1/account")
            took = time.perf_counter() - started

        assert took >= 0.1
        assert stripe_answers.take_count(address) == 2
        assert stripe_answers.take_count(address) == 0
