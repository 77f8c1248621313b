from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from tests.support import mail_lives as life

DRAFT = {"name": "Spring", "subject": "Spring is here", "body": "Hello, **you**."}


def mail_of(person: Any, template: str = "WELCOME", **changes: Any) -> str:
    for column, value in changes.items():
        life.execute(
            f"UPDATE notifications.email_queue SET {column} = :value"
            " WHERE user_id = :id AND template = :template",
            value=value,
            id=person.id,
            template=template,
        )
    [row] = [row for row in life.queue(person.id) if row.template == template]
    return str(row.id)


def test_mails_are_found_by_person_template_and_status(admin: Any, learner: Any) -> None:
    welcome = mail_of(learner, status="FAILED")
    found = admin.get(
        "/api/admin/emails",
        params={"user_id": str(learner.id), "template": "WELCOME", "status": "FAILED"},
    ).json()
    assert [(row["id"], row["status"]) for row in found["items"]] == [(welcome, "FAILED")]
    assert learner.email not in str(found)
    none = admin.get(
        "/api/admin/emails", params={"user_id": str(learner.id), "status": "SENT"}
    ).json()
    assert none == {"items": [], "next_cursor": None}


def test_mails_come_in_pages_of_one_statement(admin: Any, learner: Any, statements: Any) -> None:
    statements()
    first = admin.get("/api/admin/emails", params={"limit": 1}).json()
    assert len(statements()) <= 2
    second = admin.get(
        "/api/admin/emails", params={"limit": 1, "cursor": first["next_cursor"]}
    ).json()
    assert first["items"][0]["id"] > second["items"][0]["id"]


def test_it_is_explained_why_somebody_got_a_mail_or_did_not(admin: Any, learner: Any) -> None:
    now = datetime.now(UTC) + timedelta(hours=25)
    life.decide(now)
    steps = admin.get("/api/admin/emails/explain", params={"user_id": str(learner.id)}).json()
    told = {(step["template"], step["kind"], step["reason"]) for step in steps["items"]}
    assert ("START_JOURNEY", "DECISION", "unverified") in told
    assert ("WELCOME", "QUEUED", None) in told
    [withheld] = [step for step in steps["items"] if step["kind"] == "DECISION"]
    assert withheld["sentence"] == (
        "START_JOURNEY was not queued by the rule start_journey: the address is not verified."
    )
    only = admin.get(
        "/api/admin/emails/explain",
        params={"user_id": str(learner.id), "template": "WELCOME"},
    ).json()
    assert {step["template"] for step in only["items"]} == {"WELCOME"}


def test_nothing_is_explained_of_somebody_who_is_not_there(admin: Any, learner: Any) -> None:
    nobody = admin.get("/api/admin/emails/explain", params={"user_id": str(uuid4())})
    assert (nobody.status_code, nobody.json()["code"]) == (404, "user_not_found")
    quiet = {"user_id": str(learner.id), "template": "REFUND"}
    assert admin.get("/api/admin/emails/explain", params=quiet).json() == {"items": []}


def test_a_mail_that_failed_is_tried_again(admin: Any, learner: Any) -> None:
    id = mail_of(learner, status="FAILED", attempts=6, last_error="throttled")
    answer = admin.post(f"/api/admin/emails/{id}/retry")
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["attempts"]) == ("PENDING", 0)
    again = admin.post(f"/api/admin/emails/{id}/retry")
    assert (again.status_code, again.json()["code"]) == (409, "email_not_failed")


def test_an_address_that_bounced_is_not_tried_again(admin: Any, learner: Any) -> None:
    id = mail_of(learner, status="FAILED")
    life.execute(
        "INSERT INTO notifications.email_suppressions (id, address_hash, reason)"
        " VALUES (gen_random_uuid(), sha256(convert_to(:email, 'UTF8')), 'HARD_BOUNCE')",
        email=learner.email,
    )
    answer = admin.post(f"/api/admin/emails/{id}/retry")
    assert (answer.status_code, answer.json()["code"]) == (409, "address_suppressed")


def test_a_mail_whose_link_is_gone_is_not_tried_again(admin: Any, learner: Any) -> None:
    id = mail_of(learner, "VERIFY_EMAIL", status="FAILED", data="{}")
    answer = admin.post(f"/api/admin/emails/{id}/retry")
    assert (answer.status_code, answer.json()["code"]) == (409, "facts_gone")


def test_a_broadcast_is_drafted_previewed_started_and_stopped(admin: Any, learner: Any) -> None:
    made = admin.post("/api/admin/broadcasts", json={**DRAFT, "segment": {"verified": False}})
    assert made.status_code == 201, made.text
    path = f"/api/admin/broadcasts/{made.json()['id']}"
    changed = admin.patch(path, json={"subject": "It is spring"}).json()
    assert (changed["subject"], changed["body"]) == ("It is spring", DRAFT["body"])
    preview = admin.post(f"{path}/preview").json()
    assert preview["subject"] == "It is spring"
    assert "<strong>you</strong>" in preview["html"] or "<b" in preview["html"]
    assert preview["recipients"] >= 1
    assert preview["reachable"] == 0
    assert admin.post(f"{path}/stop").json()["code"] == "broadcast_not_sending"
    assert admin.post(f"{path}/start").json()["status"] == "SENDING"
    assert admin.patch(path, json={"body": "Other"}).status_code == 409
    assert admin.post(f"{path}/stop").json()["status"] == "STOPPED"
    listed = admin.get("/api/admin/broadcasts").json()["items"]
    assert [row["status"] for row in listed] == ["STOPPED"]
    acts = admin.get("/api/admin/audit-log").json()["items"]
    assert {"broadcast.created", "broadcast.started", "broadcast.stopped"} <= {
        act["action"] for act in acts
    }


def test_a_subject_of_several_lines_is_refused(admin: Any) -> None:
    answer = admin.post("/api/admin/broadcasts", json={**DRAFT, "subject": "a\nBcc: b"})
    assert answer.status_code == 422


def test_every_route_has_its_number_of_statements(
    admin: Any, learner: Any, statements: Any
) -> None:
    made = admin.post("/api/admin/broadcasts", json=DRAFT).json()["id"]
    failed = mail_of(learner, status="FAILED")
    path = f"/api/admin/broadcasts/{made}"
    requests = {
        "GET /api/admin/emails": {},
        f"GET /api/admin/emails/explain?user_id={learner.id}": {},
        f"POST /api/admin/emails/{failed}/retry": {},
        "GET /api/admin/broadcasts": {},
        "POST /api/admin/broadcasts": DRAFT,
        f"GET {path}": {},
        f"PATCH {path}": {"name": "Summer"},
        f"POST {path}/preview": {},
        f"POST {path}/start": {},
        f"POST {path}/stop": {},
    }
    counts = []
    for request, body in requests.items():
        method, address = request.split(" ")
        statements()
        answer = admin.request(method, address, **({"json": body} if body else {}))
        assert answer.is_success, answer.text
        counts.append(len(statements()))
    assert counts == [2, 2, 5, 2, 4, 2, 5, 3, 5, 6]
