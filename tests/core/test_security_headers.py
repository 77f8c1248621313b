"""What every answer tells a browser, and what no header of a request can change."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Query, Response
from starlette.testclient import TestClient

from studypack.core.config import get_settings
from studypack.core.errors import Forbidden
from studypack.core.http import In, create_app


class Body(In):
    name: str


@pytest.fixture
def client() -> Iterator[TestClient]:
    """An application with one route of each kind of answer."""
    router = APIRouter(tags=["test"])

    @router.get("/fine")
    def fine() -> dict[str, str]:
        return {"name": "<script>alert(1)</script>"}

    @router.get("/refused")
    def refused() -> None:
        raise Forbidden("no")

    @router.get("/broken")
    def broken() -> None:
        raise RuntimeError

    @router.get("/page")
    def page() -> Response:
        return Response(headers={"Content-Security-Policy": "default-src 'self'"})

    @router.post("/take")
    def take(body: Body) -> str:
        return body.name

    @router.get("/first")
    def first(q: Annotated[str, Query()] = "") -> str:
        return q

    with TestClient(
        create_app([router]), base_url="https://api.example.com", raise_server_exceptions=False
    ) as made:
        yield made
    get_settings.cache_clear()


ANSWERS = [
    ("GET", "/fine", 200),
    ("GET", "/refused", 403),
    ("GET", "/broken", 500),
    ("GET", "/nowhere", 404),
    ("DELETE", "/fine", 405),
    ("TRACE", "/fine", 405),
    ("POST", "/take", 422),
    ("GET", "/fine?q=%00", 400),
]


@pytest.mark.parametrize(("method", "path", "status"), ANSWERS)
def test_every_answer_tells_the_browser_to_trust_it_with_nothing(
    client: TestClient, method: str, path: str, status: int
) -> None:
    answer = client.request(method, path)

    assert answer.status_code == status
    policy = answer.headers["Content-Security-Policy"].split("; ")
    for directive in ("default-src", "object-src", "base-uri", "frame-ancestors"):
        assert f"{directive} 'none'" in policy
    assert "sandbox" in policy
    assert answer.headers["Strict-Transport-Security"] == "max-age=63072000; includeSubDomains"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-site"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(("method", "path", "status"), ANSWERS)
def test_no_answer_names_the_software_behind_it(
    client: TestClient, method: str, path: str, status: int
) -> None:
    answer = client.request(method, path)

    assert {"server", "x-powered-by"}.isdisjoint(answer.headers)
    assert "Traceback" not in answer.text


def test_an_answer_may_have_a_policy_of_its_own(client: TestClient) -> None:
    assert client.get("/page").headers["Content-Security-Policy"] == "default-src 'self'"


def test_on_one_machine_without_https_nobody_is_bound_to_it(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAGE", "local")
    get_settings.cache_clear()

    assert "Strict-Transport-Security" not in client.get("/fine").headers


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "text/html", None],
)
def test_a_body_that_is_not_sent_as_json_is_a_415(
    client: TestClient, content_type: str | None
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}

    answer = client.post("/take", content=json.dumps({"name": "x"}), headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "application/x+json"]
)
def test_a_body_sent_as_json_is_read(client: TestClient, content_type: str) -> None:
    answer = client.post("/take", content=b'{"name": "x"}', headers={"Content-Type": content_type})

    assert (answer.status_code, answer.json()) == (200, "x")


@pytest.mark.parametrize("depth", [1_000, 100_000])
def test_a_body_nested_beyond_measure_is_refused(client: TestClient, depth: int) -> None:
    content = b'{"name": ' + b"[" * depth + b"]" * depth + b"}"

    answer = client.post("/take", content=content, headers={"Content-Type": "application/json"})

    assert answer.status_code in {400, 422}
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "_method"]
)
def test_no_header_changes_the_method(client: TestClient, header: str) -> None:
    assert client.get("/take", headers={header: "POST"}).status_code == 405


@pytest.mark.parametrize("header", ["Host", "X-Forwarded-Host", "X-Original-URL", "X-Rewrite-URL"])
def test_no_header_changes_the_address(client: TestClient, header: str) -> None:
    answer = client.get("/refused", headers={header: "evil.example/fine"})

    assert answer.status_code == 403
    assert "evil.example" not in answer.text
    assert "location" not in answer.headers


def test_a_path_with_a_slash_too_many_leads_nowhere(client: TestClient) -> None:
    """A redirect would be built from the Host header, which the sender chooses."""
    answer = client.get("/fine/", headers={"Host": "evil.example"}, follow_redirects=False)

    assert answer.status_code == 404
    assert "location" not in answer.headers


def test_a_mailed_link_leads_to_our_own_site_whatever_host_was_asked(
    api: Any, sign_up: Callable[..., Any]
) -> None:
    from sqlalchemy import text

    from studypack.core.database import transaction

    person = sign_up()
    answer = api.post(
        "/api/auth/password/forgot",
        json={"email": person.email},
        headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"},
    )

    assert answer.status_code == 202
    with transaction() as session:
        links = session.scalars(text("SELECT data ->> 'link' FROM notifications.email_queue")).all()
    assert links
    assert all(link is None or link.startswith("https://app.example.com/") for link in links)


def test_signing_out_has_the_browser_drop_what_it_kept(learner: Any) -> None:
    answer = learner.post("/api/auth/logout")

    assert answer.status_code == 204
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
