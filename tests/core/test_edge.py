from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from fastapi import APIRouter
from starlette.testclient import TestClient

from studypack.core.config import get_settings
from studypack.core.http import ClientAddress, create_app

OLD, NEW = "k" * 32, "n" * 32
router = APIRouter(tags=["where"])


@router.get("/api/where")
def where(address: ClientAddress) -> str:
    """The caller's address as the application understands it."""
    return address


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], TestClient]]:
    def make(keys: str) -> TestClient:
        monkeypatch.setenv("EDGE_KEYS", keys)
        get_settings.cache_clear()
        return TestClient(create_app([router]), client=("192.0.2.1", 1))

    yield make
    monkeypatch.undo()
    get_settings.cache_clear()


def test_without_an_edge_nobody_believes_what_a_client_writes(
    client: Callable[[str], TestClient],
) -> None:
    spoofed = {"X-Edge-Key": OLD, "X-Edge-Client": "203.0.113.9"}

    assert client("").get("/api/where", headers=spoofed).json() == "192.0.2.1"


@pytest.mark.parametrize("key", [OLD, NEW])
def test_behind_an_edge_the_address_is_the_one_it_saw_and_two_keys_may_be_valid(
    client: Callable[[str], TestClient], key: str
) -> None:
    headers = {"X-Edge-Key": key, "X-Edge-Client": "203.0.113.9"}

    assert client(f"{NEW},{OLD}").get("/api/where", headers=headers).json() == "203.0.113.9"


@pytest.mark.parametrize("key", [None, "", "k", "K" * 32, f"{NEW},{OLD}", "é"])
def test_whoever_comes_past_the_edge_is_refused(
    client: Callable[[str], TestClient], key: str | None
) -> None:
    headers = {} if key is None else {"X-Edge-Key": key.encode()}

    answer = client(f"{NEW},{OLD}").get("/api/where", headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (403, "edge_required")
    assert answer.headers["X-Request-Id"]


@pytest.mark.parametrize(
    ("seen", "understood"),
    [("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"), ("nonsense", "unknown"), (None, "unknown")],
)
def test_an_address_of_the_edge_is_read_like_any_other(
    client: Callable[[str], TestClient], seen: str | None, understood: str
) -> None:
    headers = {"X-Edge-Key": NEW} | ({"X-Edge-Client": seen} if seen else {})

    assert client(NEW).get("/api/where", headers=headers).json() == understood
