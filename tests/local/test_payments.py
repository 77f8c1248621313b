"""The Stripe stand-in beside the stack: what it keeps over a restart, and for which database."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx2
import pytest

from local import payments, stack
from local.__main__ import main
from local.stripe import API_KEY

WEB = "http://127.0.0.1:1"


@pytest.fixture(autouse=True)
def _no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STRIPE_API_KEY", "STRIPE_SECRET_ARN"):
        monkeypatch.delenv(name, raising=False)


def customer(url: str | None, **values: str) -> dict[str, Any]:
    """Make a customer over the stand-in's API."""
    answer = httpx2.post(
        f"{url}/v1/customers", data=values, headers={"Authorization": f"Bearer {API_KEY}"}
    )
    made: dict[str, Any] = answer.json()
    return made


def test_an_account_at_stripe_needs_no_stand_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRIPE_API_KEY", "sk_test_of_somebody")

    with payments.running(tmp_path, web_base_url=WEB, fixed_port=False) as till:
        assert (till.url, till.standin) == (None, None)
        till.start()


def test_customers_are_there_after_a_restart(tmp_path: Path) -> None:
    with payments.running(tmp_path, web_base_url=WEB, fixed_port=False) as till:
        made = customer(till.url, email="olu@example.com")
    with payments.running(tmp_path, web_base_url=WEB, fixed_port=False) as till:
        assert till.standin is not None
        kept = till.standin.find("customer", made["id"])

    assert kept is not None
    assert kept["email"] == "olu@example.com"


def test_what_was_not_delivered_goes_to_the_address_of_the_next_start(tmp_path: Path) -> None:
    with payments.running(tmp_path, web_base_url=WEB, fixed_port=False) as till:
        customer(till.url, email="olu@example.com")
    with (
        listening() as (web, heard),
        payments.running(tmp_path, web_base_url=web, fixed_port=False) as till,
    ):
        assert till.standin is not None
        till.start()
        assert till.standin.flush()

    assert [each for each in heard() if "customer.created" in each]


def test_two_stacks_on_the_same_data_share_one_stand_in(tmp_path: Path) -> None:
    with (
        payments.running(tmp_path, web_base_url=WEB, fixed_port=False) as first,
        payments.running(tmp_path, web_base_url=f"{WEB}1", fixed_port=False) as second,
    ):
        assert second.standin is None
        assert second.url == first.url
        assert customer(second.url, email="olu@example.com")["object"] == "customer"


def test_each_database_has_a_stand_in_of_its_own(tmp_path: Path) -> None:
    one, again, other = (
        payments.state_file(tmp_path, f"postgresql://u:{password}@127.0.0.1/{name}")
        for password, name in (("x", "one"), ("y", "one"), ("x", "other"))
    )

    assert one == again
    assert len({one, other, payments.state_file(tmp_path)}) == 3


def test_products_are_made_at_stripe_once_and_again_when_its_data_was_deleted(
    database_url: str, tmp_path: Path
) -> None:
    told: list[str] = []
    for _ in range(2):
        told += starting(tmp_path)
    assert payments.forget(tmp_path)
    told += starting(tmp_path)

    made, unchanged, made_again = told
    assert "products: 8 created" in made
    assert "products: 0 created" in unchanged
    assert "prices: 0 created" in unchanged
    assert made_again.replace("8 archived", "0 archived") == made


def test_the_price_list_of_a_database_elsewhere_is_left_alone() -> None:
    local: Any = type("Local", (), {"stripe_url": "http://x", "database_url": "postgresql://db/x"})

    assert stack._sync_products(local).startswith("not synced")
    local.stripe_url = None
    assert stack._sync_products(local).startswith("not synced")


def test_clean_data_removes_what_the_stand_in_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with payments.running(tmp_path, web_base_url=WEB, fixed_port=False):
        pass

    assert main(["clean-data", "--state", str(tmp_path)]) == 0
    assert list(tmp_path.glob("stripe*")) == []
    assert "what the Stripe stand-in kept" in capsys.readouterr().out
    assert main(["clean-data", "--state", str(tmp_path)]) == 0
    assert "stand-in" not in capsys.readouterr().out


def starting(state: Path) -> list[str]:
    """What the step of the products tells."""
    told: list[str] = []

    def step(title: str) -> Any:
        return nullcontext(told.append if title == "Products at Stripe" else lambda _: None)

    with stack.running(state=state, crons=False, step=step):
        return told


class listening:  # noqa: N801 (used like a function)
    """A server that takes every event; its address, and what it heard."""

    def __enter__(self) -> tuple[str, Callable[[], list[str]]]:
        heard: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                heard.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = Thread(target=self.server.serve_forever)
        self.thread.start()
        return f"http://127.0.0.1:{self.server.server_port}", lambda: heard

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
