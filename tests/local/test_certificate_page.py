"""The page that a certificate's mail leads to, on one machine."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.testclient import TestClient

from local import server


def test_the_mails_link_leads_to_the_page_that_the_api_has() -> None:
    app = FastAPI()
    app.include_router(server._pages(server._environment(), lambda: server.Overview(addresses=[])))
    local = TestClient(app, follow_redirects=False)

    answer = local.get("/certificates/7Q4M-0ZKX-9TNE-3CVH")
    odd = local.get("/certificates/%2F%2Fexample.org%3Fx")

    assert answer.status_code == 307
    assert answer.headers["location"] == "/api/certificates/7Q4M-0ZKX-9TNE-3CVH"
    assert odd.headers.get("location", "/api/certificates/").startswith("/api/certificates/")
