"""What is open follows from what is held, the same for the guard and for its explanation."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from studypack.billing.features import ALL_FEATURES, Feature
from studypack.billing.models import ProductKind, PurchaseStatus, SubscriptionStatus
from studypack.core.business_settings import set_business_setting
from studypack.core.database import transaction
from tests.support import bank, exams, holdings

ENTITLEMENTS = "/api/purchases/entitlements"
SUBSCRIPTION = ProductKind.SUBSCRIPTION


@pytest.fixture(autouse=True)
def nothing_is_free(database_url: str) -> None:
    with transaction() as session:
        set_business_setting(session, "free_plan_features", [])


def features(person: Any) -> set[str]:
    """What the guards let this person use, and the two answers about it, which must agree."""
    me = set(person.get("/api/users/me").json()["features"])
    told = {each["feature"] for each in _told(person) if each["is_open"]}
    explained = person.get(f"{ENTITLEMENTS}/explain").json()["features"]
    assert me == told == {each["feature"] for each in explained if each["is_open"]}
    for each in explained:
        assert each["is_open"] == any(holding["in_force"] for holding in each["holdings"])
    return me


def _told(person: Any) -> list[dict[str, Any]]:
    answer = person.get(ENTITLEMENTS)
    assert answer.status_code == 200, answer.text
    told: list[dict[str, Any]] = answer.json()["features"]
    assert [each["feature"] for each in told] == [feature.value for feature in Feature]
    return told


def reasons(person: Any, feature: str = "exams") -> list[str | None]:
    """Why each thing held opens the feature (None) or not."""
    explained = person.get(f"{ENTITLEMENTS}/explain").json()["features"]
    [found] = [each for each in explained if each["feature"] == feature]
    return [holding["closed_because"] for holding in found["holdings"]]


def test_who_holds_nothing_may_use_nothing(learner: Any) -> None:
    assert features(learner) == set()
    assert reasons(learner) == []


def test_a_purchase_opens_what_its_product_grants_until_its_window_ends(learner: Any) -> None:
    pack = holdings.product(Feature.EXAMS, Feature.FLASHCARDS)
    bought = holdings.purchase(learner.id, pack, days=90)
    assert features(learner) == {"exams", "flashcards"}
    [exams_told] = [each for each in _told(learner) if each["feature"] == "exams"]
    assert exams_told["is_whole"] is True
    [holding] = [
        holding
        for each in learner.get(f"{ENTITLEMENTS}/explain").json()["features"]
        if each["feature"] == "exams"
        for holding in each["holdings"]
    ]
    assert holding["id"] == str(bought)
    assert (holding["source"], holding["product"]) == ("purchase", "A product")
    assert holding["until"] == exams_told["until"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"begun_days_ago": 91, "days": 90}, "window_ended"),
        ({"begun_days_ago": -1}, "not_begun"),
        ({"status": PurchaseStatus.REFUNDED, "status_reason": "dispute_lost"}, "dispute_lost"),
        ({"status": PurchaseStatus.REFUNDED}, "refunded"),
        ({"status": PurchaseStatus.PENDING}, "unpaid"),
        ({"is_duplicate": True}, "paid_twice"),
    ],
)
def test_a_purchase_that_is_not_in_force_opens_nothing_and_says_why(
    learner: Any, changes: dict[str, Any], reason: str
) -> None:
    holdings.purchase(learner.id, holdings.product(Feature.EXAMS), **changes)
    assert features(learner) == set()
    assert reasons(learner) == [reason]


def test_a_purchase_without_a_window_is_for_good(learner: Any) -> None:
    holdings.purchase(learner.id, holdings.product(Feature.EXAMS), days=None, begun_days_ago=9_999)
    assert features(learner) == {"exams"}
    [told] = [each for each in _told(learner) if each["feature"] == "exams"]
    assert told["until"] is None


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (SubscriptionStatus.TRIALING, None),
        (SubscriptionStatus.ACTIVE, None),
        (SubscriptionStatus.PAST_DUE, None),
        (SubscriptionStatus.PAUSED, "paused"),
        (SubscriptionStatus.CANCELED, "canceled"),
        (SubscriptionStatus.EXPIRED, "expired"),
        (SubscriptionStatus.INCOMPLETE, "incomplete"),
    ],
)
def test_a_subscription_opens_by_its_status(
    learner: Any, status: SubscriptionStatus, reason: str | None
) -> None:
    now = holdings.database_time()
    plan = holdings.product(Feature.EXAMS, kind=SUBSCRIPTION)
    holdings.subscription(
        learner.id, plan, status=status, payment_failed_at=now - timedelta(days=13)
    )
    assert features(learner) == ({"exams"} if reason is None else set())
    assert reasons(learner) == [reason]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"failed_days_ago": 15, "status": SubscriptionStatus.PAST_DUE}, "grace_ended"),
        # The failure is not known yet: grace counts from the period that was not paid.
        ({"days_left": 15, "status": SubscriptionStatus.PAST_DUE}, "grace_ended"),
        ({"days_left": 17, "status": SubscriptionStatus.PAST_DUE}, None),
        ({"days_left": -13}, None),
        ({"days_left": -15}, "period_ended"),
        ({"is_duplicate": True}, "subscribed_twice"),
        ({"refunded": True}, "refunded"),
    ],
)
def test_grace_a_late_message_and_a_refund_bound_a_subscription(
    learner: Any, changes: dict[str, Any], reason: str | None
) -> None:
    now = holdings.database_time()
    values = dict(changes)
    if "failed_days_ago" in values:
        values["payment_failed_at"] = now - timedelta(days=values.pop("failed_days_ago"))
    if values.pop("refunded", False):
        values["access_ended_at"] = now
    plan = holdings.product(Feature.EXAMS, kind=SUBSCRIPTION)
    holdings.subscription(learner.id, plan, **values)
    assert features(learner) == ({"exams"} if reason is None else set())
    assert reasons(learner) == [reason]


def test_grace_follows_its_setting(learner: Any) -> None:
    now = holdings.database_time()
    plan = holdings.product(Feature.EXAMS, kind=SUBSCRIPTION)
    holdings.subscription(
        learner.id,
        plan,
        status=SubscriptionStatus.PAST_DUE,
        payment_failed_at=now - timedelta(days=5),
    )
    assert features(learner) == {"exams"}
    with transaction() as session:
        set_business_setting(session, "grace_days", 4)
    assert features(learner) == set()


def test_members_use_what_their_seats_open_and_no_more_of_them_than_were_paid_for(
    sign_up: Any, learner: Any
) -> None:
    team = holdings.product(Feature.EXAMS, kind=SUBSCRIPTION, seats=True)
    shared = holdings.subscription(learner.id, team, quantity=1)
    first, second = sign_up(), sign_up()
    holdings.seat(shared, first.id)
    holdings.seat(shared, second.id)
    assert features(first) == features(learner) == {"exams"}
    assert features(second) == set()
    assert reasons(second) == ["no_seat_left"]
    bank.execute("UPDATE payments.seats SET removed_at = now() WHERE user_id = :id", id=first.id)
    assert features(first) == set()
    assert features(second) == {"exams"}


def test_seats_end_with_the_subscription(learner: Any, other_learner: Any) -> None:
    team = holdings.product(Feature.EXAMS, kind=SUBSCRIPTION, seats=True)
    shared = holdings.subscription(learner.id, team, quantity=5, status=SubscriptionStatus.CANCELED)
    holdings.seat(shared, other_learner.id)
    assert features(other_learner) == set()
    assert reasons(other_learner) == ["canceled"]


def test_what_somebody_else_holds_opens_nothing(learner: Any, other_learner: Any) -> None:
    holdings.purchase(other_learner.id, holdings.product(Feature.EXAMS))
    assert features(learner) == set()
    assert reasons(learner) == []


def test_the_override_opens_everything_and_is_named(learner: Any) -> None:
    bank.execute("UPDATE auth.users SET access_override = true WHERE id = :id", id=learner.id)
    assert features(learner) == {feature.value for feature in ALL_FEATURES}
    explained = learner.get(f"{ENTITLEMENTS}/explain").json()["features"]
    assert {holding["source"] for each in explained for holding in each["holdings"]} == {"override"}


def test_the_free_plan_opens_its_features_and_is_named(learner: Any) -> None:
    with transaction() as session:
        set_business_setting(session, "free_plan_features", ["exams", "juggling"])
    assert features(learner) == {"exams"}
    explained = learner.get(f"{ENTITLEMENTS}/explain").json()["features"]
    assert {h["source"] for each in explained for h in each["holdings"]} == {"free_plan"}


def test_the_last_to_end_says_until_when(learner: Any) -> None:
    pack = holdings.product(Feature.EXAMS)
    holdings.purchase(learner.id, pack, days=10)
    holdings.purchase(learner.id, holdings.product(Feature.EXAMS), days=40)
    holdings.purchase(learner.id, holdings.product(Feature.EXAMS), begun_days_ago=99, days=9)
    explained = learner.get(f"{ENTITLEMENTS}/explain").json()["features"]
    [found] = [each for each in explained if each["feature"] == "exams"]
    assert [holding["in_force"] for holding in found["holdings"]] == [True, True, False]
    assert found["until"] == found["holdings"][0]["until"] > found["holdings"][1]["until"]


def template_ids(slug: str) -> tuple[UUID, UUID]:
    row = bank.row(
        "SELECT id, course_id FROM learning.exam_templates WHERE slug = :slug", slug=slug
    )
    return row.id, row.course_id


def test_a_pack_of_one_exam_opens_that_exam_and_a_refusal_names_what_opens_the_other(
    learner: Any,
) -> None:
    template, _ = template_ids("ot-diagnostic")
    holdings.purchase(learner.id, holdings.product((Feature.EXAMS, {"template_id": template})))
    elsewhere = holdings.product((Feature.EXAMS, {"template_id": uuid4()}))
    _, python = template_ids("python-drill")
    of_course = holdings.product((Feature.EXAMS, {"course_id": python}), price=2_000)
    everything = holdings.product(Feature.EXAMS, price=9_000)
    withdrawn = holdings.product(Feature.EXAMS, active=False)

    offered = {
        each["slug"]: each["is_open"]
        for each in learner.get("/api/exams/templates").json()["items"]
    }
    assert offered["ot-diagnostic"] is True
    assert offered["python-drill"] is False
    exams.start(learner, "ot-diagnostic")
    refused = learner.post("/api/exams/sessions", json={"template": "python-drill"})
    assert refused.status_code == 402
    assert refused.json()["features"] == ["exams"]
    named = [each["sku"] for each in refused.json()["products"]]
    skus = {
        id: bank.value("SELECT sku FROM payments.products WHERE id = :id", id=id)
        for id in (elsewhere, of_course, everything, withdrawn)
    }
    assert skus[of_course] in named
    assert skus[everything] in named
    assert skus[elsewhere] not in named
    assert skus[withdrawn] not in named


def test_a_courses_pack_opens_every_exam_of_the_course(learner: Any) -> None:
    _, course = template_ids("python-drill")
    holdings.purchase(learner.id, holdings.product((Feature.EXAMS, {"course_id": course})))
    exams.start(learner, "python-drill")
    [told] = [each for each in _told(learner) if each["feature"] == "exams"]
    assert (told["is_open"], told["is_whole"]) == (True, False)
    assert told["scopes"] == [{"course_id": str(course), "template_id": None, "deck_id": None}]


def test_authentication_stays_one_statement_whatever_is_held(learner: Any, statements: Any) -> None:
    learner.get("/api/users/me")
    statements()
    learner.get("/api/users/me")
    before = len(statements())
    for _ in range(5):
        holdings.purchase(learner.id, holdings.product(*Feature))
    holdings.subscription(learner.id, holdings.product(*Feature, kind=SUBSCRIPTION))
    statements()
    learner.get("/api/users/me")
    assert len(statements()) == before
    learner.get(f"{ENTITLEMENTS}/explain")
    assert len(statements()) == 2
