"""The links of mails to unsubscribe: GET shows, POST does."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from studypack.notifications.models import Category
from studypack.notifications.unsubscribe_tokens import make_token, signing_key
from tests.support import bank
from tests.support.mail_queue import queue, row

URL = "/api/email/unsubscribe"


def token(person: Any, category: Category = Category.REMINDERS) -> str:
    return make_token(person.id, category, signing_key())


def opted_out(person: Any) -> bool:
    return bool(bank.value("SELECT marketing_opt_out FROM auth.users WHERE id = :i", i=person.id))


def mails_on(person: Any) -> dict[str, bool]:
    answer = person.get("/api/users/me/notification-preferences").json()
    return {each["category"]: each["email"] for each in answer["categories"]}


def test_looking_at_the_page_changes_nothing(api: Any, learner: Any) -> None:
    for method in ("GET", "HEAD"):
        for category in (Category.REMINDERS, Category.MARKETING):
            api.request(method, URL, params={"token": token(learner, category)})

    assert all(mails_on(learner).values())
    assert bank.value("SELECT count(*) FROM notifications.email_suppressions") == 0


def test_the_page_has_a_button_that_posts_to_itself_and_nothing_that_runs(
    api: Any, learner: Any
) -> None:
    answer = api.get(URL, params={"token": token(learner)})

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert '<form method="post"><button>Unsubscribe</button></form>' in answer.text
    assert "reminders and digests" in answer.text
    assert learner.email not in answer.text
    policy = answer.headers["Content-Security-Policy"].split("; ")
    assert "default-src 'none'" in policy
    assert "form-action 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert not [each for each in policy if "script" in each or "unsafe" in each]
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_pages_style_is_the_one_that_its_policy_allows(api: Any, learner: Any) -> None:
    import base64
    import hashlib

    answer = api.get(URL, params={"token": token(learner)})
    style = answer.text.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()

    assert f"style-src 'sha256-{digest}'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "headers",
    [
        {},  # a mail provider's servers
        {"Origin": "null"},  # the page itself: it sends no referrer
        {"Origin": "https://mail.example.net"},  # a mail client in the browser
    ],
)
@pytest.mark.parametrize(
    "body",
    [
        {"data": {"List-Unsubscribe": "One-Click"}},
        {"files": {"List-Unsubscribe": (None, "One-Click")}},
        {},
    ],
)
def test_one_click_unsubscribes_whoever_posts_it(
    api: Any, learner: Any, headers: dict[str, str], body: dict[str, Any]
) -> None:
    api.headers.pop("Origin", None)
    api.cookies.set("studypack_session", "of-somebody")

    answer = api.post(URL, params={"token": token(learner)}, headers=headers, **body)

    assert answer.status_code == 200
    assert "You are unsubscribed" in answer.text
    api.headers["Origin"] = "https://app.example.com"
    expected = dict.fromkeys(Category, True) | {Category.REMINDERS: False}
    assert mails_on(learner) == expected


def test_leaving_marketing_is_the_accounts_opt_out(api: Any, learner: Any) -> None:
    api.post(URL, params={"token": token(learner, Category.MARKETING)})

    assert opted_out(learner)
    assert learner.get("/api/users/me").json()["marketing_opt_out"] is True
    assert mails_on(learner)["MARKETING"] is False
    assert mails_on(learner)["REMINDERS"] is True


def test_again_it_changes_nothing(api: Any, learner: Any) -> None:
    for _ in range(2):
        assert api.post(URL, params={"token": token(learner)}).status_code == 200

    assert bank.value("SELECT count(*) FROM notifications.email_suppressions") == 1
    assert bank.value("SELECT count(*) FROM notifications.notification_preferences") == 1


def test_mails_that_wait_are_taken_back_and_it_is_written_down_why(api: Any, learner: Any) -> None:
    waiting = queue(learner.id, "INACTIVE_NUDGE")
    other = queue(learner.id, "FRIEND_REQUEST")
    under_way = queue(learner.id, "WEEKLY_DIGEST", sending_since="2026-11-18T12:00:00Z")

    api.post(URL, params={"token": token(learner)})

    assert (row(waiting)["status"], row(waiting)["status_reason"]) == ("CANCELLED", "category_off")
    assert (row(other)["status"], row(under_way)["status"]) == ("PENDING", "PENDING")
    [decision] = bank.rows(
        "SELECT verdict, rule, reason, occasion, evidence FROM notifications.email_decisions"
        " WHERE user_id = :i",
        i=learner.id,
    )
    assert decision[:4] == ("CANCEL", "unsubscribe", "category_off", str(waiting))
    assert decision.evidence == {"email_id": str(waiting)}


def test_without_marketing_no_marketing_of_any_category_is_sent(api: Any, learner: Any) -> None:
    waiting = [queue(learner.id, name) for name in ("ABANDONMENT_1", "WEEKLY_DIGEST")]

    api.post(URL, params={"token": token(learner, Category.MARKETING)})

    assert [row(each)["status_reason"] for each in waiting] == ["opted_out", "opted_out"]


def test_switching_a_category_on_again_undoes_a_links_work(api: Any, learner: Any) -> None:
    for category in (Category.REMINDERS, Category.MARKETING):
        api.post(URL, params={"token": token(learner, category)})
    changes = {"REMINDERS": {"email": True}, "MARKETING": {"email": True}}

    learner.patch("/api/users/me/notification-preferences", json={"categories": changes})

    assert all(mails_on(learner).values())
    in_force = "SELECT count(*) FROM notifications.email_suppressions WHERE lifted_at IS NULL"
    assert bank.value(in_force) == 0


def test_opting_in_again_on_ones_account_undoes_it_too(api: Any, learner: Any) -> None:
    api.post(URL, params={"token": token(learner, Category.MARKETING)})

    learner.patch("/api/users/me", json={"marketing_opt_out": False})

    assert mails_on(learner)["MARKETING"] is True


def test_who_is_gone_is_told_the_same(api: Any, learner: Any) -> None:
    nobodys = make_token(uuid4(), Category.REMINDERS, signing_key())

    answer = api.post(URL, params={"token": nobodys})

    assert answer.status_code == 200
    assert answer.text == api.post(URL, params={"token": token(learner)}).text


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_token_that_is_not_ours_gets_a_page_that_says_so(
    api: Any, learner: Any, method: str
) -> None:
    good = token(learner)
    forged = [
        good[:-1] + ("A" if good[-1] != "A" else "B"),
        make_token(learner.id, Category.REMINDERS, b"another key"),
        make_token(learner.id, Category.BILLING, signing_key()),
        "x",
        "ü",
    ]
    for each in forged:
        answer = api.request(method, URL, params={"token": each})
        assert answer.status_code == 404
        assert "This link does not work" in answer.text
    assert api.request(method, URL).status_code == 422
    assert all(mails_on(learner).values())


def test_no_line_of_the_log_shows_a_token(
    api: Any, learner: Any, log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from studypack.core.telemetry import get_logger

    monkeypatch.setattr(get_logger(), "disabled", False)
    get_logger().setLevel("INFO")
    try:
        for method in ("GET", "POST"):
            api.request(method, URL, params={"token": token(learner)})
    finally:
        get_logger().setLevel("WARNING")

    assert URL in log()
    assert token(learner) not in log()
    assert learner.email not in log()
