"""A browser's trip to the stand-in for a provider and back."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
from starlette.testclient import TestClient

from tests.support.people import PASSWORD


def depart(page: TestClient, name: str = "google", return_to: str = "/home") -> str:
    """Begin; the authorize page's address."""
    answer = page.get(
        f"/api/auth/oauth/{name}/start", params={"return_to": return_to}, follow_redirects=False
    )
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def depart_to_link(page: TestClient, name: str = "google", **proof: str) -> str:
    """Begin to link, by the password unless another proof is given; the authorize page's
    address.
    """
    answer = page.post(f"/api/auth/oauth/{name}/link", json=proof or {"password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["url"])


def link(page: TestClient, person: str, name: str = "google", **proof: str) -> Any:
    """The whole of linking."""
    return come_back(page, choose(depart_to_link(page, name, **proof), person))


def choose(address: str, person: str) -> str:
    """Choose somebody at the provider; where it sends the browser back to."""
    answer = httpx2.get(f"{address}&choose={person}", timeout=20)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def come_back(page: TestClient, address: str, accept: str = "application/json") -> Any:
    """Follow the provider's redirect; the answer, whatever it is."""
    assert address.startswith("https://api.example.com/api/auth/oauth/")
    return page.get(address, headers={"Accept": accept}, follow_redirects=False)


def trip(page: TestClient, person: str, name: str = "google") -> Any:
    """The whole of it."""
    return come_back(page, choose(depart(page, name), person))


def query_of(address: str) -> dict[str, str]:
    """The query's parameters, each once."""
    return {key: values[0] for key, values in parse_qs(urlsplit(address).query).items()}
