from __future__ import annotations

from pathlib import Path

import pytest

from local import price_list
from local.content_files import CONTENT
from studypack.core.database import transaction
from studypack.core.errors import Unprocessable
from tests.support import bank


def load(root: Path) -> int:
    with transaction() as session:
        return price_list.load_products(session, price_list.read_products(root))


def test_the_sample_list_has_what_the_seeds_name(database_url: str) -> None:
    prices = {
        row.sku: (row.price_amount, row.interval, row.access_window_days)
        for row in bank.rows("SELECT * FROM payments.products")
    }

    assert prices["pro-monthly"] == (4900, "MONTHLY", None)
    assert prices["pro-annual"] == (39900, "ANNUAL", None)
    assert prices["pro-basic-monthly"] == (999, "MONTHLY", None)
    assert prices["ot-exam-pack"] == (7900, None, 90)
    assert prices["flashcard-bundle"] == (2900, None, None)


def test_a_product_that_is_there_is_left_as_its_owner_made_it(database_url: str) -> None:
    bank.execute("UPDATE payments.products SET price_amount = 1 WHERE sku = 'pro-annual'")
    bank.execute("DELETE FROM payments.products WHERE sku IN ('ot-exam-pack', 'flashcard-bundle')")

    assert (load(CONTENT), load(CONTENT)) == (2, 0)

    assert bank.value("SELECT price_amount FROM payments.products WHERE sku = 'pro-annual'") == 1


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("- {sku: a}", "billing.yaml: 0.name"),
        ("- {sku: a, name: b, description: c, kind: X, price_amount: 1, grants: []}", "0.kind"),
        (
            (
                "- {sku: a, name: b, description: c, kind: ONE_TIME, price_amount: 1,"
                " grants: [{feature: exams, course: no-such}]}"
            ),
            "billing.yaml: a",
        ),
    ],
)
def test_a_mistake_is_named_by_item_and_field(
    text: str, named: str, tmp_path: Path, database_url: str
) -> None:
    (tmp_path / "billing.yaml").write_text(text, encoding="utf-8")

    with pytest.raises(Unprocessable) as refused:
        load(tmp_path)

    assert any(named in error.field for error in refused.value.errors)
