"""Certificates: issued once, looked up by whoever has the code, withdrawn and issued anew."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from html import unescape
from typing import Any
from uuid import UUID, uuid4

import pytest

from studypack.core.database import transaction
from studypack.courses import certificates
from tests.support import bank, mail
from tests.support.accounts import fields
from tests.support.concurrency import at_once
from tests.support.learning import Material, a_course, setting
from tests.support.pdf import text_of
from tests.support.people import Person

NOW = datetime(2025, 11, 21, 12, tzinfo=UTC)
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.fixture
def course(database_url: str) -> Material:
    return a_course(1, title="Weaving <Basics>")


def named(person: Person, first: str | None, last: str | None) -> None:
    bank.execute(
        "UPDATE auth.users SET first_name = :first, last_name = :last WHERE id = :id",
        first=first,
        last=last,
        id=person.id,
    )


def issue(person: Person, course: Material) -> UUID | None:
    with transaction() as session:
        return certificates.issue(session, person.id, course.id, now=NOW)


def own(person: Person) -> list[dict[str, Any]]:
    answer = person.get("/api/certificates")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def code_of(person: Person) -> str:
    code: str = own(person)[0]["code"]
    return code


def revoke(admin: Person, certificate: Any, reason: str = "Issued by mistake") -> Any:
    return admin.post(f"/api/admin/certificates/{certificate}/revoke", json={"reason": reason})


def reissue(admin: Person, certificate: Any) -> Any:
    return admin.post(f"/api/admin/certificates/{certificate}/reissue")


def test_a_certificate_keeps_the_name_and_the_title_of_that_day(
    learner: Person, course: Material
) -> None:
    named(learner, " Ada  Augusta", "Lovelace ")
    certificate = issue(learner, course)
    named(learner, "Somebody", "Else")
    bank.execute("UPDATE learning.courses SET title = 'Other' WHERE id = :id", id=course.id)

    [shown] = own(learner)

    assert shown == {
        "id": str(certificate),
        "course_id": str(course.id),
        "code": shown["code"],
        "status": "VALID",
        "recipient": "Ada Augusta Lovelace",
        "course": "Weaving <Basics>",
        "issued_at": "2025-11-21T12:00:00Z",
        "revoked_at": None,
        "revoke_reason": None,
        "verify_url": f"https://app.example.com/certificates/{shown['code']}",
    }


def test_who_gave_no_name_gets_one_all_the_same(learner: Person, course: Material) -> None:
    named(learner, " ", None)
    issue(learner, course)

    assert own(learner)[0]["recipient"] == "StudyPack learner"


def test_a_second_issue_changes_nothing(learner: Person, course: Material) -> None:
    assert issue(learner, course) is not None
    assert issue(learner, course) is None
    assert len(own(learner)) == 1


@pytest.mark.usefixtures("wide_pool")
def test_of_twelve_issues_at_once_one_succeeds_and_one_mail_goes_out(
    learner: Person, course: Material
) -> None:
    issued = at_once(*[lambda: issue(learner, course)] * 12)

    assert sum(each is not None for each in issued) == 1
    assert len(own(learner)) == 1
    assert len(mail.queued(learner.email, "CERTIFICATE")) == 1


def test_the_learner_is_told_by_mail_and_in_the_product(learner: Person, course: Material) -> None:
    issue(learner, course)
    code = code_of(learner)

    [sent] = mail.queued(learner.email, "CERTIFICATE")
    [notice] = learner.get("/api/notifications").json()["items"]

    assert sent["data"] == {"course_title": "Weaving <Basics>", "code": code}
    assert (notice["type"], notice["link"]) == ("CERTIFICATE_ISSUED", f"/certificates/{code}")


def test_an_issue_that_is_rolled_back_leaves_nothing(learner: Person, course: Material) -> None:
    with transaction() as session:
        assert certificates.issue(session, learner.id, course.id, now=NOW)
        session.rollback()

    assert own(learner) == []
    assert mail.queued(learner.email, "CERTIFICATE") == []


def test_whoever_has_the_code_may_verify_and_learns_nothing_of_the_account(
    api: Any, learner: Person, course: Material
) -> None:
    named(learner, "Ada", None)
    certificate = issue(learner, course)
    code = code_of(learner)

    answer = api.get(f"/api/certificates/{code}")

    assert answer.status_code == 200
    assert answer.headers["vary"] == "Accept"
    assert answer.json() == {
        "code": code,
        "status": "VALID",
        "recipient": "Ada",
        "course": "Weaving <Basics>",
        "issued_at": "2025-11-21T12:00:00Z",
        "revoked_at": None,
    }
    for secret in (learner.id, learner.email, certificate):
        assert str(secret) not in answer.text


def test_a_code_is_found_however_it_is_typed(api: Any, learner: Person, course: Material) -> None:
    issue(learner, course)
    code = code_of(learner)

    for typed in (code.lower(), code.replace("-", ""), code.replace("-", " ")):
        assert api.get(f"/api/certificates/{typed}").json()["code"] == code


@pytest.mark.parametrize("code", ["0000-0000-0000-0000", "nonsense", "%F0%9F%8E%93", "a%27--"])
def test_a_code_of_nothing_is_a_clear_404(api: Any, code: str) -> None:
    answer = api.get(f"/api/certificates/{code}")
    paper = api.get(f"/api/certificates/{code}.pdf")
    page = api.get(f"/api/certificates/{code}", headers={"Accept": BROWSER})

    for refused in (answer, paper):
        assert (refused.status_code, refused.json()["code"]) == (404, "certificate_not_found")
    assert page.status_code == 404
    assert "There is no such certificate" in page.text


def test_a_browser_gets_a_page_without_scripts(api: Any, learner: Person, course: Material) -> None:
    named(learner, "<script>alert(1)</script>", 'O\'Hara & "Sons"')
    issue(learner, course)
    code = code_of(learner)

    page = api.get(f"/api/certificates/{code}", headers={"Accept": BROWSER})

    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["vary"] == "Accept"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "<script" not in page.text
    assert "This certificate is genuine" in page.text
    shown = unescape(page.text)
    assert '<script>alert(1)</script> O\'Hara & "Sons"' in shown
    assert "Weaving <Basics>" in shown
    assert f'href="/api/certificates/{code}.pdf"' in page.text


@pytest.mark.parametrize(
    ("accept", "is_page"),
    [
        (BROWSER, True),
        ("text/html", True),
        ("*/*", False),
        ("application/json", False),
        ("application/json, text/html;q=0.9", False),
        ("text/html;q=0.5, application/json;q=0.4", True),
        ("text/html;q=nonsense", False),
        ("", False),
    ],
)
def test_who_asks_for_json_gets_json(api: Any, accept: str, is_page: bool) -> None:
    answer = api.get("/api/certificates/0000-0000-0000-0000", headers={"Accept": accept})

    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html") is is_page


def test_the_paper_is_a_pdf_to_keep(api: Any, learner: Person, course: Material) -> None:
    named(learner, "Ada", "王")
    issue(learner, course)
    code = code_of(learner)

    paper = api.get(f"/api/certificates/{code.lower()}.pdf")

    assert paper.status_code == 200
    assert paper.headers["content-type"] == "application/pdf"
    assert paper.headers["content-disposition"] == (
        f'attachment; filename="certificate-{code}.pdf"'
    )
    text = text_of(paper.content)
    assert {"Ada", "Weaving <Basics>", "21 November 2025", code} <= set(text.split("\n"))
    assert f"https://app.example.com/certificates/{code}" in text


def test_through_the_gateway_the_paper_comes_whole(learner: Person, course: Material) -> None:
    import base64

    from api.courses.handler import handler

    issue(learner, course)
    event = {
        "version": "2.0",
        "routeKey": "GET /api/certificates/{proxy+}",
        "rawPath": f"/api/certificates/{code_of(learner)}.pdf",
        "rawQueryString": "",
        "headers": {"host": "api.example.com"},
        "requestContext": {
            "http": {
                "method": "GET",
                "path": f"/api/certificates/{code_of(learner)}.pdf",
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
            },
            "requestId": str(uuid4()),
            "stage": "$default",
        },
        "isBase64Encoded": False,
    }

    answer = handler(event, None)

    assert answer["statusCode"] == 200
    assert answer["isBase64Encoded"] is True
    assert base64.b64decode(answer["body"]).startswith(b"%PDF-")


def test_look_ups_are_counted_per_address(api: Any, learner: Person, course: Material) -> None:
    issue(learner, course)
    code = code_of(learner)
    setting("links_per_address", 3)

    for path in (code, f"{code}.pdf", "0000-0000-0000-0000"):
        assert api.get(f"/api/certificates/{path}").status_code in {200, 404}
    refused = api.get(f"/api/certificates/{code}")

    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0


def test_ones_own_certificates_are_ones_own(
    api: Any, learner: Person, other_learner: Person, course: Material
) -> None:
    issue(learner, course)

    assert own(other_learner) == []
    assert api.get("/api/certificates").status_code == 401


def test_a_list_is_paged(learner: Person, course: Material) -> None:
    issue(learner, course)
    issue(learner, a_course())

    first = learner.get("/api/certificates?limit=1").json()
    second = learner.get(f"/api/certificates?limit=1&cursor={first['next_cursor']}").json()

    assert {len(first["items"]), len(second["items"])} == {1}
    assert first["items"] != second["items"]
    assert second["next_cursor"] is None


def test_a_revoked_certificate_says_so_to_everybody(
    api: Any, learner: Person, admin: Person, course: Material
) -> None:
    certificate = issue(learner, course)
    code = code_of(learner)

    answer = revoke(admin, certificate, "Exam was not taken in person")

    assert answer.status_code == 200
    assert answer.json()["revoked_by"] == str(admin.id)
    public = api.get(f"/api/certificates/{code}").json()
    assert public["status"] == "REVOKED"
    assert public["revoked_at"] is not None
    assert "in person" not in json.dumps(public)
    assert own(learner)[0]["revoke_reason"] == "Exam was not taken in person"
    page = api.get(f"/api/certificates/{code}", headers={"Accept": BROWSER}).text
    assert "no longer holds" in page
    assert ".pdf" not in page
    paper = api.get(f"/api/certificates/{code}.pdf")
    assert (paper.status_code, paper.json()["code"]) == (409, "certificate_revoked")


def test_a_revoked_certificate_is_not_issued_again_by_itself(
    learner: Person, admin: Person, course: Material
) -> None:
    revoke(admin, issue(learner, course))

    assert issue(learner, course) is None


def test_revoking_and_reissuing_mends_a_misspelt_name(
    learner: Person, admin: Person, course: Material
) -> None:
    named(learner, "Adda", "Lovelace")
    old = issue(learner, course)
    old_code = code_of(learner)
    revoke(admin, old, "Misspelt")
    named(learner, "Ada", "Lovelace")

    answer = reissue(admin, old)

    assert answer.status_code == 201, answer.text
    new = answer.json()
    assert (new["recipient_name"], new["course_title"]) == ("Ada Lovelace", "Weaving <Basics>")
    assert new["code"] != old_code
    assert [(each["code"], each["status"]) for each in own(learner)] == [
        (new["code"], "VALID"),
        (old_code, "REVOKED"),
    ]
    assert [each["data"]["code"] for each in mail.queued(learner.email, "CERTIFICATE")] == [
        old_code,
        new["code"],
    ]


def test_acts_out_of_order_are_refused_and_name_why(
    learner: Person, admin: Person, course: Material
) -> None:
    certificate = issue(learner, course)

    early = reissue(admin, certificate)
    revoke(admin, certificate)
    again = revoke(admin, certificate)
    assert reissue(admin, certificate).status_code == 201
    twice = reissue(admin, certificate)

    codes = [(each.status_code, each.json()["code"]) for each in (early, again, twice)]
    assert codes == [(409, "not_revoked"), (409, "already_revoked"), (409, "already_issued")]


@pytest.mark.usefixtures("wide_pool")
def test_of_revocations_and_reissues_at_once_one_succeeds(
    learner: Person, admin: Person, course: Material
) -> None:
    certificate = issue(learner, course)

    with_key = {"Authorization": f"Bearer {admin.token}"}
    path = f"/api/admin/certificates/{certificate}"
    revoked = at_once(
        *[lambda: admin.api.post(f"{path}/revoke", json={"reason": "x"}, headers=with_key)] * 6
    )
    reissued = at_once(*[lambda: admin.api.post(f"{path}/reissue", headers=with_key)] * 6)

    assert sorted(each.status_code for each in revoked) == [200, *[409] * 5]
    assert sorted(each.status_code for each in reissued) == [201, *[409] * 5]


def test_what_admins_do_to_certificates_is_in_the_audit_log(
    learner: Person, admin: Person, course: Material
) -> None:
    certificate = issue(learner, course)
    revoke(admin, certificate, "Misspelt")
    new = reissue(admin, certificate).json()["id"]

    acts = bank.rows(
        "SELECT action, actor_id, subject_id, details FROM auth.audit_log"
        " WHERE action LIKE 'certificate.%' ORDER BY id"
    )

    assert [(act.action, act.actor_id, str(act.subject_id), act.details) for act in acts] == [
        ("certificate.revoked", admin.id, str(certificate), {"reason": "Misspelt"}),
        ("certificate.reissued", admin.id, new, {"replaces": str(certificate)}),
    ]


def test_admins_find_certificates_by_code_person_and_course(
    learner: Person, other_learner: Person, admin: Person, course: Material
) -> None:
    issue(learner, course)
    issue(other_learner, course)
    code = code_of(learner)

    def found(query: str) -> list[str]:
        answer = admin.get(f"/api/admin/certificates?{query}")
        assert answer.status_code == 200, answer.text
        return [each["user_id"] for each in answer.json()["items"]]

    assert found(f"code={code.lower().replace('-', '')}") == [str(learner.id)]
    assert found(f"user_id={other_learner.id}") == [str(other_learner.id)]
    assert len(found(f"course_id={course.id}")) == 2
    assert found("code=0000-0000-0000-0000") == []


def test_only_admins_withdraw_and_a_reason_is_needed(
    learner: Person, support: Person, admin: Person, course: Material
) -> None:
    certificate = issue(learner, course)

    for person in (learner, support):
        assert revoke(person, certificate).status_code == 403
        assert reissue(person, certificate).status_code == 403
        assert person.get("/api/admin/certificates").status_code == 403
    for reason in ("", "  ", "x" * 501):
        refused = revoke(admin, certificate, reason)
        assert refused.status_code == 422
        assert [field for field, _ in fields(refused)] == ["reason"]
    for act in (revoke, reissue):
        assert act(admin, uuid4()).status_code == 404
    assert own(learner)[0]["status"] == "VALID"


BUDGETS = {"own": 2, "verify": 2, "paper": 2, "admin list": 2}
"""Statements; of the public ones the first counts towards the limit."""


def test_what_certificates_cost_the_database(
    api: Any,
    learner: Person,
    admin: Person,
    course: Material,
    statements: Callable[[], list[str]],
) -> None:
    issue(learner, course)
    code = code_of(learner)
    requests: dict[str, Callable[[], Any]] = {
        "own": lambda: learner.get("/api/certificates"),
        "verify": lambda: api.get(f"/api/certificates/{code}"),
        "paper": lambda: api.get(f"/api/certificates/{code}.pdf"),
        "admin list": lambda: admin.get("/api/admin/certificates"),
    }
    for request in requests.values():
        request()

    counted = {}
    for name, request in requests.items():
        statements()
        assert request().status_code == 200
        counted[name] = len(statements())

    assert counted == BUDGETS
