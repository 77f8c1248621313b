from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import APIRouter, Request
from starlette.testclient import TestClient

from studypack.core.config import get_settings
from studypack.core.http import ClientAddress, Paging, create_app

LIMIT = 2_000
OURS = "https://app.example.com"


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """An application that says what reached it, with a small body limit."""
    monkeypatch.setenv("MAX_BODY_BYTES", str(LIMIT))
    get_settings.cache_clear()
    router = APIRouter(tags=["test"])

    @router.api_route("/echo", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    async def echo(request: Request) -> dict[str, int]:
        return {"length": len(await request.body())}

    @router.get("/address")
    def address(address: ClientAddress) -> str:
        return address

    @router.get("/page")
    def page(paging: Paging) -> None: ...

    app = create_app([router])
    with TestClient(app, base_url="https://api.example.com", raise_server_exceptions=False) as made:
        yield made
    get_settings.cache_clear()


def _code(answer: Any) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_another_sites_page_may_not_write(client: TestClient, method: str) -> None:
    answer = client.request(method, "/echo", headers={"Origin": "https://evil.example"})
    assert _code(answer) == (403, "origin_not_allowed")


@pytest.mark.parametrize(
    "origin", ["null", "https://app.example.com.evil.example", "http://app.example.com", ""]
)
def test_an_origin_that_only_resembles_ours_may_not_write(client: TestClient, origin: str) -> None:
    assert client.post("/echo", headers={"Origin": origin}).status_code == 403


def test_another_sites_page_may_read_what_cors_lets_it(client: TestClient) -> None:
    assert client.get("/echo", headers={"Origin": "https://evil.example"}).status_code == 200


def test_a_foreign_origin_is_refused_with_a_bearer_token_too(client: TestClient) -> None:
    headers = {"Origin": "https://evil.example", "Authorization": "Bearer x"}
    assert client.post("/echo", headers=headers).status_code == 403


def test_a_cookie_write_without_origin_is_refused(client: TestClient) -> None:
    headers = {"Cookie": "other=1; studypack_session=x"}
    assert _code(client.post("/echo", headers=headers)) == (403, "origin_required")


@pytest.mark.parametrize(
    "headers",
    [
        {"Cookie": "studypack_session=x", "Origin": OURS},
        {"Authorization": "Bearer x"},
        {"Authorization": "Bearer x", "Cookie": "studypack_session=x"},
        {"Cookie": "other=1"},
        {},
    ],
)
def test_writes_of_our_own_client_and_of_programs_pass(
    client: TestClient, headers: dict[str, str]
) -> None:
    assert client.post("/echo", headers=headers).status_code == 200


def test_outside_one_machine_even_the_apis_own_host_is_a_foreign_origin(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = {"Origin": "https://api.example.com"}
    assert client.post("/echo", headers=headers).status_code == 200
    monkeypatch.setenv("STAGE", "prod")
    get_settings.cache_clear()
    assert client.post("/echo", headers=headers).status_code == 403


def test_a_body_up_to_the_limit_arrives_whole(client: TestClient) -> None:
    assert client.post("/echo", content=b"x" * LIMIT).json() == {"length": LIMIT}


def test_a_body_declared_too_large_is_refused(client: TestClient) -> None:
    assert _code(client.post("/echo", content=b"x" * (LIMIT + 1))) == (413, "content_too_large")


def test_a_streamed_body_is_refused_when_it_grows_too_large(client: TestClient) -> None:
    taken = 0

    def parts() -> Iterator[bytes]:
        nonlocal taken
        for _ in range(100):
            taken += 1
            yield b"x" * 100

    answer = client.post("/echo", content=parts())
    assert "content-length" not in answer.request.headers
    assert _code(answer) == (413, "content_too_large")


def test_a_streamed_body_within_the_limit_arrives_whole(client: TestClient) -> None:
    assert client.post("/echo", content=iter([b"ab", b"", b"c"])).json() == {"length": 3}


@pytest.mark.parametrize(
    "body",
    [r'{"a": "\u0000"}', r'{"a": "x\\\u0000"}', r'{"\u0000": 1}'],
)
def test_an_escaped_nul_in_a_body_is_refused(client: TestClient, body: str) -> None:
    assert _code(client.post("/echo", content=body)) == (400, "nul_character")


@pytest.mark.parametrize("body", [r'{"a": "\\u0000"}', r'{"a": "\\\\u0000"}', r'{"a": "\u0001"}'])
def test_text_that_only_looks_like_an_escaped_nul_passes(client: TestClient, body: str) -> None:
    assert "\x00" not in json.loads(body)["a"]
    assert client.post("/echo", content=body).status_code == 200


@pytest.mark.parametrize("url", ["/ec%00ho", "/echo?q=%00", "/echo?q=a%00b&c=d"])
def test_a_nul_in_the_address_is_refused(client: TestClient, url: str) -> None:
    assert _code(client.get(url)) == (400, "nul_character")


def test_a_nul_escaped_twice_in_the_address_is_plain_text(client: TestClient) -> None:
    assert client.get("/echo?q=%2500").status_code == 200


@pytest.mark.parametrize(
    ("method", "url", "status"),
    [("GET", "/echo", 200), ("GET", "/nowhere", 404), ("GET", "/echo?q=%00", 400)],
)
def test_every_answer_is_marked_and_not_to_be_stored(
    client: TestClient, method: str, url: str, status: int
) -> None:
    answer = client.request(method, url)
    assert answer.status_code == status
    assert answer.headers["X-Request-Id"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("cursor", ["x", "%21%21%21", "AAAA", "%C3%A4" * 8])
def test_a_cursor_that_is_not_ours_is_a_400(client: TestClient, cursor: str) -> None:
    assert _code(client.get(f"/page?cursor={cursor}")) == (400, "bad_cursor")


@pytest.mark.parametrize("limit", ["0", "201", "x", "-1"])
def test_a_page_is_of_1_to_200_rows(client: TestClient, limit: str) -> None:
    answer = client.get(f"/page?limit={limit}")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "limit"


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("somewhere", "unknown"),
        ("", "unknown"),
    ],
)
def test_the_callers_address_is_the_connections_and_ipv6_counts_by_its_network(
    client: TestClient, host: str, address: str
) -> None:
    forged = {"X-Forwarded-For": "198.51.100.1", "Forwarded": "for=198.51.100.1"}
    caller = TestClient(client.app, client=(host, 1))
    assert caller.get("/address", headers=forged).json() == address
