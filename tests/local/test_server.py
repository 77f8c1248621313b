"""The local server: the API, its documentation without a network, the pages, the media."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.testclient import TestClient

from local import server
from local import template as sam
from local.scheduler import Crons, CronState, LastRun
from local.seed import demo_accounts

BASE = "http://127.0.0.1:8000"
NOON = datetime(2026, 3, 11, 12, 0, tzinfo=UTC)


def overview() -> server.Overview:
    run = LastRun(NOON, 0.2, {"processed": 3})
    failed = LastRun(NOON, 0.2, error="RuntimeError: <script>alert(1)</script>")
    return server.Overview(
        addresses=[("API", f"{BASE}/api", False), ("Documentation", f"{BASE}/docs", True)],
        accounts=demo_accounts(),
        crons=server.cron_rows(
            [
                CronState("cron.score_exams", "rate(1 minute)", NOON, run),
                CronState("cron.broken", "rate(1 hour)", None, failed),
                CronState("cron.new", "rate(1 day)", NOON, None),
            ]
        ),
        queues=[("Mails", "workers.mails")],
        functions=server.function_rows(sam.read()),
    )


@pytest.fixture
def local(database_url: str) -> Iterator[TestClient]:
    with TestClient(
        server.build_app(sam.read(), overview), base_url=BASE, raise_server_exceptions=False
    ) as client:
        yield client


def links(page: str) -> set[str]:
    """Everything that a page loads or leads to."""
    return set(re.findall(r"""(?:href|src|action)=["']([^"']+)["']""", page))


def outside(page: str) -> set[str]:
    own = ("/", BASE, "data:", "http://127.0.0.1", "https://app.example.com")
    return {link for link in links(page) if not link.startswith(own)}


@pytest.mark.parametrize("function", ["auth", "users", "exams", "admin"])
def test_every_function_answers_on_the_one_port(local: TestClient, function: str) -> None:
    answer = local.get(f"/api/health/{function}")

    assert (answer.status_code, answer.json()["function"]) == (200, function)


def test_an_unknown_path_of_the_api_is_a_problem_document(local: TestClient) -> None:
    answer = local.get("/api/nothing")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_overview_shows_what_runs_and_escapes_it(local: TestClient) -> None:
    page = local.get("/").text

    assert "juniper-harbour-tuesday" in page
    assert "3 processed" in page
    assert "has not run yet" in page
    assert "/api/health/exams" in page
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_the_page_can_ask_for_the_jobs_anew(local: TestClient) -> None:
    crons = local.get("/_local/status.json").json()["crons"]

    assert [(cron["name"], cron["failed"]) for cron in crons] == [
        ("cron.score_exams", False),
        ("cron.broken", True),
        ("cron.new", False),
    ]


@pytest.mark.parametrize(
    ("answer", "status", "told"),
    [
        ({"processed": 3}, 200, "3 processed"),
        (RuntimeError("the database is gone"), 500, "failed: RuntimeError: the database is gone"),
    ],
)
def test_a_job_can_be_run_now(
    database_url: str, answer: dict[str, int] | Exception, status: int, told: str
) -> None:
    def job(_function: sam.Function, _event: dict[str, Any]) -> dict[str, int]:
        if isinstance(answer, Exception):
            raise answer
        return answer

    app = server.build_app(sam.read(), overview, Crons(sam.read(), invoke=job))
    client = TestClient(app, base_url=BASE)

    ran = client.post("/_local/crons/cron.score_exams/run")

    assert (ran.status_code, ran.json()["result"]) == (status, told)
    assert client.post("/_local/crons/cron.nothing/run").status_code == 404


def test_a_job_under_way_is_not_run_a_second_time(database_url: str) -> None:
    inner: list[int] = []

    def job(_function: sam.Function, _event: dict[str, Any]) -> dict[str, int]:
        inner.append(client.post("/_local/crons/cron.score_exams/run").status_code)
        return {}

    app = server.build_app(sam.read(), overview, Crons(sam.read(), invoke=job))
    client = TestClient(app, base_url=BASE)

    assert client.post("/_local/crons/cron.score_exams/run").status_code == 200
    assert inner == [409]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/docs",
        "/verify-email?token=x",
        "/reset-password?token=x",
        "/accept-seat?token=x",
        "/sign-in",
        "/prices",
        "/billing",
        "/checkout/done?session_id=cs_test_x",
        "/checkout/canceled",
        "/_local/outbox",
    ],
)
def test_a_page_loads_nothing_from_elsewhere(local: TestClient, path: str) -> None:
    answer = local.get(path)

    assert answer.status_code == 200
    assert outside(answer.text) == set()
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert not re.search(r"https?://(?!127\.0\.0\.1|www\.w3\.org|app\.example)", answer.text)


def test_the_documentations_own_files_are_served_here(local: TestClient) -> None:
    page = local.get("/docs").text
    files = {link for link in links(page) if link.endswith((".js", ".css", ".png"))}

    assert len(files) == 3
    for file in files:
        assert local.get(file).status_code == 200
    assert local.get("/openapi.json").json()["paths"]["/api/auth/login"]


def test_a_queued_mail_is_in_the_outbox_and_its_link_confirms_the_address(
    local: TestClient,
) -> None:
    account = {"email": "new@example.com", "password": "a-long-enough-one", "first_name": "<b>"}
    assert local.post("/api/auth/signup", json=account).status_code == 201

    page = local.get("/_local/outbox").text
    mail = next(
        each
        for each in local.get("/_local/outbox.json").json()
        if (each["template"], each["to"]) == ("VERIFY_EMAIL", "new@example.com")
    )
    assert "VERIFY_EMAIL" in page
    assert "new@example.com" in page
    token = mail["link"].partition("token=")[2]
    assert "/verify-email?" in mail["link"]

    answer = local.post("/api/auth/verify-email", json={"token": token})
    assert answer.json() == {"email": "new@example.com", "email_verified": True}


def test_a_link_of_another_kind_than_http_is_not_made_clickable() -> None:
    assert server._web_link("javascript:alert(1)") is None
    assert server._web_link("https://example.com/x") == "https://example.com/x"


def test_an_empty_outbox_says_so(local: TestClient) -> None:
    local.get("/api/config")

    assert "No mail has been queued yet" in local.get("/_local/outbox").text


def test_a_picture_of_a_course_is_served(local: TestClient) -> None:
    answer = local.get("/media/python-programming/py-group-by-length.svg")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/svg+xml"
    assert "sandbox" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "path",
    [
        "/media/accounts.yaml",
        "/media/python-programming/course.yaml",
        "/media/python-programming/..%2Fcourse.yaml",
        "/media/python-programming/%2e%2e/course.yaml",
        "/media/..%2f..%2f..%2fpyproject.toml",
        "/media/python-programming/media/py-group-by-length.svg",
        "/media/%2e%2e/pages/x.svg",
        "/media//etc/passwd.svg",
        "/media/python-programming/missing.svg",
        "/media/python-programming/nul%00.svg",
        "/media/",
    ],
)
def test_nothing_but_a_courses_media_can_be_read(local: TestClient, path: str) -> None:
    assert local.get(path).status_code in {400, 404}


def test_media_cannot_be_written(local: TestClient) -> None:
    answer = local.put("/media/python-programming/py-group-by-length.svg", content=b"x")

    assert answer.status_code == 405


def test_a_page_elsewhere_whose_name_resolves_here_is_refused(local: TestClient) -> None:
    answer = local.get("/_local/outbox.json", headers={"Host": "evil.example"})

    assert answer.status_code == 400


def test_a_browser_of_an_allowed_origin_may_call_with_its_cookie(local: TestClient) -> None:
    asked = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "PATCH"}

    allowed = local.options("/api/users/me", headers=asked)
    refused = local.options("/api/users/me", headers={**asked, "Origin": "https://evil.example"})

    assert allowed.headers["access-control-allow-origin"] == "https://app.example.com"
    assert allowed.headers["access-control-allow-credentials"] == "true"
    assert "access-control-allow-origin" not in refused.headers


def test_the_servers_own_pages_may_write_to_the_api(local: TestClient) -> None:
    answer = local.post(
        "/api/auth/password/forgot", json={"email": "x@example.com"}, headers={"Origin": BASE}
    )

    assert answer.status_code == 202


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as other:
        other.bind((server.HOST, 0))
        other.listen()
        yield other.getsockname()[1]


def test_a_port_that_was_asked_for_and_is_taken_is_said_clearly(taken: int) -> None:
    with pytest.raises(server.PortTakenError, match=f"port {taken} is taken"):
        server.listen(taken, preferred=8000)


def test_the_usual_port_gives_way_to_the_next_free_one(taken: int) -> None:
    with server.listen(None, preferred=taken) as listener:
        assert taken < listener.getsockname()[1] < taken + 20


def test_when_no_port_is_free_the_range_is_named(taken: int) -> None:
    with pytest.raises(server.PortTakenError, match=f"no port from {taken} to {taken}"):
        server.listen(None, preferred=taken, tries=1)


def test_the_functions_of_the_page_say_what_they_serve() -> None:
    rows: dict[str, Any] = {row[0]: row[1:] for row in server.function_rows(sam.read())}

    assert rows["api.auth"] == ("/api/auth, /api/config", "/api/health/auth")
    assert rows["cron.maintain_partitions"] == ("cron(15 3 * * ? *)", None)
