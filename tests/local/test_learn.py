"""The pages on which a person takes a course: what they hold, and that nothing else runs there."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from local import server
from local import template as sam

BASE = "http://127.0.0.1:8000"
ID = "018f0000-0000-7000-8000-000000000001"
PAGES = ("/learn", "/learn/python-programming", f"/learn/lesson/{ID}", f"/learn/quiz/{ID}")


@pytest.fixture
def local(database_url: str) -> Iterator[TestClient]:
    app = server.build_app(sam.read(), lambda: server.Overview(addresses=[]))
    with TestClient(app, base_url=BASE, follow_redirects=False) as client:
        yield client


@pytest.mark.parametrize("path", PAGES)
def test_only_the_pages_own_script_and_style_run_on_it(local: TestClient, path: str) -> None:
    answer = local.get(path)

    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    nonce = re.search(r"script-src 'nonce-([^']{20,})'", policy)
    assert nonce is not None
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    opened = re.findall(r"<(?:script|style)\b[^>]*>", answer.text)
    assert len(opened) == 2
    assert all(f'nonce="{nonce[1]}"' in tag for tag in opened)
    markup = re.sub(r"<(script|style)\b.*?</\1>", "", answer.text, flags=re.DOTALL)
    assert not re.search(r"\s(?:style|on\w+)=", markup)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_loads_nothing_from_elsewhere(local: TestClient, path: str) -> None:
    page = local.get(path).text

    assert not re.search(r"https?://(?!www\.w3\.org)", page)


def test_every_view_of_a_page_has_a_nonce_of_its_own(local: TestClient) -> None:
    policies = {local.get("/learn").headers["content-security-policy"] for _ in range(3)}

    assert len(policies) == 3


def test_a_courses_name_in_the_address_stays_a_text(local: TestClient) -> None:
    page = local.get("/learn/%22%3E%3C!--%3Cscript%3Ealert(1)").text

    assert "<script>alert(1)" not in page
    assert r"\u003cscript\u003e" in page


@pytest.mark.parametrize(
    ("mailed", "page"),
    [
        ("/courses", "/learn"),
        ("/courses/python-programming", "/learn/python-programming"),
        (f"/lessons/{ID}", f"/learn/lesson/{ID}"),
        ("/courses/a%20b", "/learn/a%20b"),
    ],
)
def test_an_address_of_a_mail_leads_to_its_page(local: TestClient, mailed: str, page: str) -> None:
    answer = local.get(mailed)

    assert (answer.status_code, answer.headers["location"]) == (307, page)


def test_an_address_that_names_no_lesson_is_refused(local: TestClient) -> None:
    assert local.get("/learn/lesson/nothing").status_code == 422


def test_the_overview_leads_to_the_courses(local: TestClient) -> None:
    assert 'href="/learn"' in local.get("/").text
