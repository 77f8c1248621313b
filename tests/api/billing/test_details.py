"""Whom invoices are made out to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support import bank
from tests.support.billing import LocalStripe
from tests.support.subscribers import customer_of, stripe_off, subscribe

DETAILS = "/api/billing/details"
FIRM = {
    "name": "Kolář & Söhne",
    "address_line1": "Schulgasse 4",
    "address_line2": None,
    "postal_code": "1090",
    "city": "Wien",
    "state": None,
    "country": "AT",
    "vat_id": "ATU13585627",
}


def tax_ids(person: Any, standin: LocalStripe) -> list[str]:
    found = standin.client.v1.customers.tax_ids.list(customer_of(person))
    return [each.value for each in found.data]


def test_they_are_empty_at_first(learner: Any, statements: Callable[[], list[str]]) -> None:
    statements()

    answer = learner.get(DETAILS)

    assert answer.json() == dict.fromkeys(FIRM)
    assert len(statements()) == 2


def test_what_is_set_is_kept_here_and_at_stripe(learner: Any, standin: LocalStripe) -> None:
    answer = learner.patch(DETAILS, json=FIRM)

    assert answer.status_code == 200, answer.text
    assert answer.json() == FIRM
    assert learner.get(DETAILS).json() == FIRM
    customer = standin.standin.find("customer", customer_of(learner))
    assert customer["name"] == "Kolář & Söhne"
    assert customer["address"]["city"] == "Wien"
    assert tax_ids(learner, standin) == ["ATU13585627"]
    standin.deliver_new()
    assert learner.get(DETAILS).json() == FIRM


def test_only_what_is_named_changes_and_null_empties(learner: Any, standin: LocalStripe) -> None:
    learner.patch(DETAILS, json=FIRM)

    answer = learner.patch(DETAILS, json={"address_line2": "Stiege 2", "vat_id": None})

    assert answer.json() == {**FIRM, "address_line2": "Stiege 2", "vat_id": None}
    assert tax_ids(learner, standin) == []


def test_a_new_vat_number_takes_the_old_ones_place(learner: Any, standin: LocalStripe) -> None:
    learner.patch(DETAILS, json=FIRM)

    learner.patch(DETAILS, json={"country": "DE", "vat_id": "de 136 695 976"})

    assert learner.get(DETAILS).json()["vat_id"] == "DE136695976"
    assert tax_ids(learner, standin) == ["DE136695976"]


def test_the_invoice_says_them(learner: Any, standin: LocalStripe) -> None:
    learner.patch(DETAILS, json=FIRM)
    subscribe(learner, standin)

    bill_to = bank.value("SELECT bill_to FROM payments.invoices")

    assert {name: bill_to[name] for name in FIRM} == FIRM


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"country": "XX"}, "country", "unknown_country"),
        ({"country": "AUT"}, "country", "string_too_long"),
        ({"country": "AT", "vat_id": "ATU13585626"}, "vat_id", "vat_id_invalid"),
        ({"country": "AT", "vat_id": "DE136695976"}, "vat_id", "vat_id_of_other_country"),
        ({"country": "GB", "vat_id": "GB980780684"}, "vat_id", "vat_id_invalid"),
        ({"vat_id": "ATU13585627"}, "country", "missing"),
        ({"name": ""}, "name", "string_too_short"),
        ({"city": "x" * 201}, "city", "string_too_long"),
        ({"colour": "red"}, "colour", "extra_forbidden"),
    ],
)
def test_what_does_not_fit_names_its_field(
    learner: Any, standin: LocalStripe, changes: dict[str, Any], field: str, code: str
) -> None:
    answer = learner.patch(DETAILS, json=changes)

    assert answer.status_code == 422, answer.text
    assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [(field, code)]
    assert learner.get(DETAILS).json() == dict.fromkeys(FIRM)


def test_the_country_of_a_vat_number_does_not_change_under_it(
    learner: Any, standin: LocalStripe
) -> None:
    learner.patch(DETAILS, json=FIRM)

    answer = learner.patch(DETAILS, json={"country": "DE"})

    assert [error["field"] for error in answer.json()["errors"]] == ["vat_id"]
    assert learner.get(DETAILS).json() == FIRM


def test_while_stripe_is_away_nothing_is_kept(learner: Any, standin: LocalStripe) -> None:
    stripe_off(standin)

    answer = learner.patch(DETAILS, json=FIRM)

    assert (answer.status_code, answer.json()["code"]) == (503, "payments_unavailable")
    assert learner.get(DETAILS).json() == dict.fromkeys(FIRM)


def test_nothing_new_asks_nobody(learner: Any, standin: LocalStripe) -> None:
    learner.patch(DETAILS, json=FIRM)
    stripe_off(standin)

    assert learner.patch(DETAILS, json={"city": "Wien"}).status_code == 200
    assert learner.patch(DETAILS, json={}).json() == FIRM


def test_each_has_their_own(learner: Any, other_learner: Any, standin: LocalStripe) -> None:
    learner.patch(DETAILS, json=FIRM)

    assert other_learner.get(DETAILS).json() == dict.fromkeys(FIRM)
