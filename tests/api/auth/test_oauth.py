from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from local.oauth import StandIn
from studypack.integrations.oauth import fetching
from tests.support import mail
from tests.support.accounts import browser, change_setting, execute, log_in, value
from tests.support.oauth import (
    choose,
    come_back,
    depart,
    depart_to_link,
    link,
    query_of,
    trip,
)
from tests.support.people import PASSWORD

pytestmark = pytest.mark.usefixtures("api", "provider")
BOTH = pytest.mark.parametrize("name", ["google", "github"])
USERS = "SELECT count(*) FROM auth.users WHERE email = :e AND deleted_at IS NULL"


@pytest.fixture
def page(app: Any) -> Any:
    """A browser signed in as nobody."""
    return browser(app)


def _is(standin: StandIn, key: str, person: Any) -> None:
    """Give somebody at the provider the address of one of our people."""
    standin.people = {**standin.people, key: replace(standin.people[key], email=person.email)}


def _verify(person: Any) -> None:
    execute("UPDATE auth.users SET email_verified_at = now() WHERE id = :id", id=person.id)


def _refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def _nobody_is_signed_in(page: Any) -> bool:
    return "studypack_session" not in page.cookies


@BOTH
def test_a_newcomer_gets_a_verified_account_without_a_password(page: Any, name: str) -> None:
    answer = trip(page, "grace", name)
    assert answer.status_code == 303
    assert answer.headers["location"] == "https://app.example.com/home"
    me = page.get("/api/users/me").json()
    assert (me["email"], me["email_verified"], me["first_name"]) == (
        "grace@example.com",
        True,
        "Grace",
    )
    stored = "SELECT password_hash FROM auth.users WHERE email = 'grace@example.com'"
    assert value(stored) is None
    assert log_in(browser(page.app), "grace@example.com").status_code == 401


@BOTH
def test_coming_again_is_the_same_account(app: Any, page: Any, name: str) -> None:
    trip(page, "grace", name)
    first = page.get("/api/users/me").json()["id"]
    again = browser(app)
    trip(again, "grace", name)
    assert again.get("/api/users/me").json()["id"] == first


def test_the_account_is_the_providers_and_not_the_addresss(
    app: Any, page: Any, provider: StandIn
) -> None:
    trip(page, "grace")
    first = page.get("/api/users/me").json()["id"]
    moved = replace(provider.people["grace"], email="new@example.com")
    provider.people = {**provider.people, "grace": moved}
    again = browser(app)
    trip(again, "grace")
    assert again.get("/api/users/me").json()["id"] == first


def test_an_address_that_both_sides_verified_links_the_account(
    page: Any, provider: StandIn, learner: Any
) -> None:
    _verify(learner)
    _is(provider, "grace", learner)
    assert trip(page, "grace").status_code == 303
    assert page.get("/api/users/me").json()["id"] == str(learner.id)
    [linked] = page.get("/api/users/me/oauth-accounts").json()["items"]
    assert (linked["provider"], linked["email"]) == ("google", learner.email)


def test_an_address_that_we_never_verified_is_not_handed_over(
    page: Any, provider: StandIn, learner: Any
) -> None:
    _is(provider, "grace", learner)
    assert _refusal(trip(page, "grace")) == (409, "oauth_verify_email_first")
    assert _nobody_is_signed_in(page)
    assert value("SELECT count(*) FROM auth.oauth_accounts") == 0


@BOTH
@pytest.mark.parametrize("known", [True, False])
def test_an_address_that_the_provider_did_not_verify_opens_and_makes_nothing(
    page: Any, provider: StandIn, learner: Any, name: str, known: bool
) -> None:
    _verify(learner)
    if known:
        _is(provider, "mallory", learner)
    assert _refusal(trip(page, "mallory", name)) == (403, "oauth_email_unverified")
    assert _nobody_is_signed_in(page)
    assert value(USERS, e="mallory@example.com") == 0


@pytest.mark.parametrize("linked", [True, False])
@pytest.mark.parametrize("change", ["is_active = false", "is_active = false, deleted_at = now()"])
def test_an_account_that_was_closed_stays_closed(
    app: Any, page: Any, provider: StandIn, learner: Any, change: str, linked: bool
) -> None:
    _verify(learner)
    _is(provider, "grace", learner)
    if linked:
        trip(browser(app), "grace")
    execute(f"UPDATE auth.users SET {change} WHERE id = :id", id=learner.id)
    answer = trip(page, "grace")
    if "deleted" in change and not linked:
        assert page.get("/api/users/me").json()["id"] != str(learner.id)
    else:
        assert _refusal(answer) == (401, "invalid_credentials")
        assert _nobody_is_signed_in(page)


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("error", 502, "oauth_provider_failed"),
        ("garbage", 502, "oauth_provider_failed"),
        ("huge", 502, "oauth_provider_failed"),
        ("redirect", 502, "oauth_provider_failed"),
        ("slow", 504, "oauth_provider_slow"),
        ("no_keys", 502, "oauth_provider_failed"),
        *(
            (fault, 502, "oauth_answer_untrusted")
            for fault in (
                "no_token",
                "wrong_nonce",
                "wrong_audience",
                "more_audiences",
                "wrong_issuer",
                "expired",
                "unsigned",
                "other_key",
                "hmac",
            )
        ),
    ],
)
def test_a_provider_that_errs_is_slow_or_lies_signs_nobody_in(
    page: Any,
    provider: StandIn,
    monkeypatch: pytest.MonkeyPatch,
    log: Callable[[], str],
    fault: str,
    status: int,
    code: str,
) -> None:
    monkeypatch.setattr(fetching, "ANSWER_SECONDS", 0.3 if fault == "slow" else 5)
    provider.fault = fault
    assert _refusal(trip(page, "grace")) == (status, code)
    assert _nobody_is_signed_in(page)
    assert value(USERS, e="grace@example.com") == 0
    assert code in log()
    assert "grace" not in log()


def test_a_browser_is_told_of_a_refusal_by_the_sign_in_page(page: Any, provider: StandIn) -> None:
    provider.fault = "error"
    answer = come_back(page, choose(depart(page), "grace"), accept="text/html,*/*")
    assert answer.status_code == 303
    place = "https://app.example.com/sign-in?error=oauth_provider_failed&provider=google"
    assert answer.headers["location"] == place


def test_who_refuses_at_the_provider_is_not_signed_in(page: Any) -> None:
    assert _refusal(trip(page, "nobody")) == (403, "oauth_denied")


def test_an_answer_counts_once(app: Any, page: Any, provider: StandIn) -> None:
    start = depart(page)
    cookie = page.cookies["studypack_oauth"]
    back = choose(start, "grace")
    assert come_back(page, back).status_code == 303
    asked = provider.token_requests
    thief = browser(app)
    thief.cookies.set("studypack_oauth", cookie)
    assert _refusal(come_back(thief, back)) == (400, "oauth_attempt_invalid")
    assert provider.token_requests == asked


def test_an_answer_counts_in_the_browser_that_began_alone(app: Any, page: Any) -> None:
    back = choose(depart(page), "grace")
    victim = browser(app)
    assert _refusal(come_back(victim, back)) == (400, "oauth_attempt_invalid")
    depart(victim)
    assert _refusal(come_back(victim, back)) == (400, "oauth_attempt_invalid")
    assert _nobody_is_signed_in(victim)


def test_anothers_code_does_not_fit_ones_own_state(app: Any, page: Any) -> None:
    attacker = browser(app)
    stolen = query_of(choose(depart(attacker), "lea"))["code"]
    own = query_of(depart(page))["state"]
    back = f"https://api.example.com/api/auth/oauth/google/callback?state={own}&code={stolen}"
    # The provider holds the code to the challenge it was asked with (PKCE).
    assert _refusal(come_back(page, back)) == (400, "oauth_code_refused")


def test_an_answer_of_one_provider_is_none_of_the_other(page: Any) -> None:
    back = choose(depart(page, "google"), "grace").replace("/google/", "/github/")
    assert _refusal(come_back(page, back)) == (400, "oauth_attempt_invalid")


def test_an_attempt_ends_after_ten_minutes(page: Any) -> None:
    back = choose(depart(page), "grace")
    left = value("SELECT expires_at - created_at FROM auth.oauth_attempts")
    assert abs(left.total_seconds() - 600) < 5
    execute("UPDATE auth.oauth_attempts SET expires_at = now()")
    assert _refusal(come_back(page, back)) == (400, "oauth_attempt_invalid")


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "https://app.example.com@evil.example/",
        "https://app.example.com.evil.example/",
        "javascript:alert(1)",
        "home",
        "/a\r\nSet-Cookie: x=1",
    ],
)
def test_nobody_is_sent_on_to_another_site(page: Any, elsewhere: str) -> None:
    answer = page.get(
        "/api/auth/oauth/google/start", params={"return_to": elsewhere}, follow_redirects=False
    )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "return_to"


def test_the_database_learns_no_secret_of_a_trip_and_no_token(page: Any) -> None:
    start = depart(page)
    given = query_of(start)
    row = str(value("SELECT to_jsonb(a)::text FROM auth.oauth_attempts a"))
    for secret in (page.cookies["studypack_oauth"], given["state"], given["nonce"]):
        assert secret not in row
    come_back(page, choose(start, "grace"))
    assert value("SELECT count(*) FROM auth.oauth_attempts") == 0


def test_no_connection_is_held_while_the_provider_is_asked(
    page: Any, provider: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    from studypack.core.database.engine import get_engine

    held: list[int] = []
    asked = fetching.fetch_json

    def fetch(*args: Any, **options: Any) -> Any:
        held.append(get_engine().pool.checkedout())  # type: ignore[attr-defined]
        return asked(*args, **options)

    monkeypatch.setattr("studypack.integrations.oauth.exchange.fetch_json", fetch)
    assert trip(page, "grace").status_code == 303
    assert held == [0]


def test_one_who_is_signed_in_links_another_address_and_signs_in_with_it(
    app: Any, page: Any, learner: Any
) -> None:
    _verify(learner)
    log_in(page, learner.email)
    assert link(page, "grace", "github").status_code == 303
    other = browser(app)
    trip(other, "grace", "github")
    assert other.get("/api/users/me").json()["id"] == str(learner.id)
    assert value(USERS, e="grace@example.com") == 0


def test_linking_needs_both_addresses_verified(page: Any, learner: Any) -> None:
    log_in(page, learner.email)
    assert _refusal(link(page, "grace")) == (409, "oauth_verify_email_first")
    _verify(learner)
    assert _refusal(link(page, "mallory")) == (403, "oauth_email_unverified")


@pytest.mark.parametrize(
    ("proof", "told"),
    [
        ({}, (422, "invalid_input")),
        ({"password": "not the password"}, (422, "invalid_input")),
        ({"code": "123456"}, (409, "totp_not_enrolled")),
    ],
)
def test_a_borrowed_session_links_nothing(
    page: Any, learner: Any, proof: dict[str, str], told: tuple[int, str]
) -> None:
    _verify(learner)
    log_in(page, learner.email)
    assert _refusal(page.post("/api/auth/oauth/google/link", json=proof)) == told
    assert value("SELECT count(*) FROM auth.oauth_attempts") == 0


def test_guessing_the_password_to_link_is_throttled(page: Any, learner: Any) -> None:
    change_setting("login_attempts", 2)
    log_in(page, learner.email)
    statuses = [
        page.post("/api/auth/oauth/google/link", json={"password": "wrong"}).status_code
        for _ in range(3)
    ]
    assert statuses == [422, 422, 429]


def test_signing_in_with_a_provider_while_signed_in_links_nothing_to_that_account(
    page: Any, learner: Any
) -> None:
    _verify(learner)
    log_in(page, learner.email)
    assert trip(page, "grace").status_code == 303
    assert page.get("/api/users/me").json()["email"] == "grace@example.com"
    linked = "SELECT count(*) FROM auth.oauth_accounts WHERE user_id = :id"
    assert value(linked, id=learner.id) == 0


def test_the_owner_is_told_of_linking_and_unlinking(page: Any, learner: Any) -> None:
    _verify(learner)
    log_in(page, learner.email)
    link(page, "grace")
    link(page, "grace")
    page.delete("/api/users/me/oauth-accounts/google")
    told = [
        (row["template"], row["data"])
        for row in mail.queued(learner.email)
        if row["template"].startswith("PROVIDER")
    ]
    assert told == [
        ("PROVIDER_LINKED", {"provider": "GOOGLE"}),
        ("PROVIDER_UNLINKED", {"provider": "GOOGLE"}),
    ]


def test_the_owner_is_told_when_signing_in_links(
    page: Any, provider: StandIn, learner: Any
) -> None:
    _verify(learner)
    _is(provider, "grace", learner)
    trip(page, "grace")
    assert len(mail.queued(learner.email, "PROVIDER_LINKED")) == 1


def test_a_newcomer_is_told_of_no_link(page: Any) -> None:
    trip(page, "grace")
    assert mail.queued("grace@example.com", "PROVIDER_LINKED") == []


def test_one_with_only_a_provider_is_led_to_a_password_and_then_closes_the_account(
    app: Any, page: Any
) -> None:
    trip(page, "grace")
    body = {"password": PASSWORD}
    for answer in (
        page.request("DELETE", "/api/users/me", json=body),
        page.post("/api/users/me/email", json={**body, "email": "other@example.com"}),
        page.post("/api/auth/oauth/github/link", json=body),
        page.post(
            "/api/auth/password/change",
            json={"current_password": PASSWORD, "new_password": "a new long password"},
        ),
    ):
        assert _refusal(answer) == (409, "set_password_first")
    page.post("/api/auth/password/forgot", json={"email": "grace@example.com"})
    token = mail.token("grace@example.com", "RESET_PASSWORD")
    reset = page.post("/api/auth/password/reset", json={"token": token, "password": PASSWORD})
    assert reset.status_code < 300, reset.text
    again = browser(app)
    log_in(again, "grace@example.com")
    assert again.request("DELETE", "/api/users/me", json=body).status_code == 204


def test_who_closed_an_account_may_come_again_with_the_same_provider(
    app: Any, page: Any, learner: Any
) -> None:
    _verify(learner)
    log_in(page, learner.email)
    link(page, "grace")
    depart_to_link(page, "github")
    assert page.request("DELETE", "/api/users/me", json={"password": PASSWORD}).status_code == 204
    for table in ("oauth_accounts", "oauth_attempts"):
        assert value(f"SELECT count(*) FROM auth.{table} WHERE user_id = :id", id=learner.id) == 0
    assert trip(browser(app), "grace").status_code == 303
    assert value(USERS, e="grace@example.com") == 1


def test_who_signed_out_on_the_way_links_nothing(page: Any, learner: Any) -> None:
    _verify(learner)
    log_in(page, learner.email)
    back = choose(depart_to_link(page), "grace")
    page.post("/api/auth/logout")
    assert _refusal(come_back(page, back)) == (400, "oauth_attempt_invalid")


def test_an_account_of_a_provider_is_linked_to_one_and_one_to_each(
    app: Any, page: Any, learner: Any
) -> None:
    _verify(learner)
    trip(browser(app), "grace")
    log_in(page, learner.email)
    assert _refusal(link(page, "grace")) == (409, "oauth_account_in_use")
    assert link(page, "lea").status_code == 303
    link(page, "lea")
    assert len(page.get("/api/users/me/oauth-accounts").json()["items"]) == 1


def test_unlinking_leaves_a_way_to_sign_in(page: Any) -> None:
    trip(page, "grace")
    refused = page.delete("/api/users/me/oauth-accounts/google")
    assert _refusal(refused) == (409, "last_sign_in_method")
    trip(page, "grace", "github")
    assert page.delete("/api/users/me/oauth-accounts/google").status_code == 204
    assert _refusal(page.delete("/api/users/me/oauth-accounts/google"))[0] == 404
    assert _refusal(page.delete("/api/users/me/oauth-accounts/github"))[0] == 409


@pytest.mark.usefixtures("wide_pool")
def test_two_trips_of_a_newcomer_at_once_make_one_account(app: Any) -> None:
    pages = [browser(app) for _ in range(2)]
    backs = [choose(depart(page), "grace") for page in pages]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(come_back, pages, backs))
    assert all(answer.status_code < 500 for answer in answers)
    assert value(USERS, e="grace@example.com") == 1
