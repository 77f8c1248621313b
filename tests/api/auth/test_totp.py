from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from studypack.accounts import one_time_codes
from studypack.core.config import get_settings
from tests.support import mail
from tests.support.accounts import (
    browser,
    change_setting,
    execute,
    fields,
    is_signed_in,
    log_in,
    on_another_device,
    value,
)
from tests.support.oauth import trip
from tests.support.people import PASSWORD, Person

TOTP = "/api/users/me/totp"


@dataclass
class Enrolled:
    """Somebody with an authenticator app."""

    person: Person
    secret: bytes
    recovery_codes: list[str]

    def code(self, later: int = 0) -> str:
        """The app's code, some steps from now."""
        return one_time_codes.code_of(
            self.secret, one_time_codes.step_at(datetime.now(UTC)) + later
        )


def _enrol(person: Person) -> Enrolled:
    import base64

    begun = person.post(TOTP, json={"password": PASSWORD})
    assert begun.status_code == 201, begun.text
    enrolled = Enrolled(person, base64.b32decode(begun.json()["secret"]), [])
    assert begun.json()["secret"] in begun.json()["otpauth_uri"]
    # With the step before, so that tests may use the one now.
    answer = person.post(f"{TOTP}/confirm", json={"code": enrolled.code(-1)})
    assert answer.status_code == 200, answer.text
    person.api.cookies.clear()
    enrolled.person = replace(person, token=answer.json()["token"])
    enrolled.recovery_codes = answer.json()["recovery_codes"]
    return enrolled


@pytest.fixture
def enrolled(learner: Person) -> Enrolled:
    return _enrol(learner)


def _challenge(client: Any, person: Person) -> str:
    answer = log_in(client, person.email)
    assert (answer.status_code, answer.json()["code"]) == (401, "totp_required")
    assert "studypack_session" not in client.cookies
    return str(answer.json()["challenge"])


def _second_step(client: Any, challenge: str, code: str) -> Any:
    return client.post("/api/auth/login/totp", json={"challenge": challenge, "code": code})


def test_the_codes_are_those_of_the_standard() -> None:
    # RFC 6238, appendix B, the last six of its eight digits.
    secret = b"12345678901234567890"
    for seconds, code in ((59, "287082"), (1111111109, "081804"), (20000000000, "353130")):
        assert one_time_codes.code_of(secret, seconds // 30) == code


def test_confirming_ends_the_other_sessions_and_renews_this_one(learner: Person) -> None:
    device = on_another_device(learner)
    enrolled = _enrol(learner)
    assert not is_signed_in(learner)
    assert not is_signed_in(device)
    assert is_signed_in(enrolled.person)
    assert len(set(enrolled.recovery_codes)) == 10
    for code in enrolled.recovery_codes:
        assert re.fullmatch(r"([a-z2-7]{4}-){5}[a-z2-7]{3}", code)
        assert len(code.replace("-", "")) * 5 >= 112  # bits of base32


def test_two_enrolments_share_no_recovery_code(learner: Person, other_learner: Person) -> None:
    codes = [*_enrol(learner).recovery_codes, *_enrol(other_learner).recovery_codes]
    assert len(set(codes)) == 20


def test_an_app_that_was_never_confirmed_locks_nobody_out(learner: Person) -> None:
    assert learner.post(TOTP, json={"password": PASSWORD}).status_code == 201
    assert log_in(learner.api, learner.email).status_code == 200


def test_signing_in_takes_the_password_and_then_a_code(app: Any, enrolled: Enrolled) -> None:
    page = browser(app)
    challenge = _challenge(page, enrolled.person)
    answer = _second_step(page, challenge, enrolled.code())
    assert answer.status_code == 200
    assert page.get("/api/users/me").status_code == 200
    again = _second_step(browser(app), challenge, enrolled.code(1))
    assert (again.status_code, again.json()["code"]) == (401, "totp_challenge_invalid")


def test_a_challenge_opens_nothing_by_itself(app: Any, enrolled: Enrolled) -> None:
    challenge = _challenge(browser(app), enrolled.person)
    assert not is_signed_in(replace(enrolled.person, token=challenge))


def test_a_code_works_once(app: Any, enrolled: Enrolled) -> None:
    page, code = browser(app), enrolled.code()
    assert _second_step(page, _challenge(page, enrolled.person), code).status_code == 200
    other = browser(app)
    refused = _second_step(other, _challenge(other, enrolled.person), code)
    assert fields(refused) == [("code", "wrong_code")]


@pytest.mark.usefixtures("wide_pool")
def test_of_two_with_one_code_at_once_one_gets_in(app: Any, enrolled: Enrolled) -> None:
    pages, code = [browser(app) for _ in range(2)], enrolled.code()
    challenges = [_challenge(page, enrolled.person) for page in pages]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(_second_step, pages, challenges, [code, code]))
    assert sorted(answer.status_code for answer in answers) == [200, 422]


@pytest.mark.parametrize("later", [-3, 3])
def test_a_code_of_another_time_is_wrong(app: Any, enrolled: Enrolled, later: int) -> None:
    page = browser(app)
    challenge = _challenge(page, enrolled.person)
    assert _second_step(page, challenge, enrolled.code(later)).status_code == 422
    # Mistyping costs a try, not the challenge.
    assert _second_step(page, challenge, enrolled.code()).status_code == 200


def test_guessing_codes_is_throttled_however_many_challenges_there_are(
    app: Any, enrolled: Enrolled
) -> None:
    change_setting("login_attempts", 3)
    page = browser(app)
    tries = [
        _second_step(page, _challenge(page, enrolled.person), "abcdefgh").status_code
        for _ in range(4)
    ]
    assert tries == [422, 422, 422, 429]


def test_one_network_gets_only_so_many_wrong_codes_and_any_number_of_right_ones(
    app: Any, enrolled: Enrolled
) -> None:
    change_setting("codes_per_address", 2)
    classroom = browser(app)
    for code in enrolled.recovery_codes[:4]:
        right = _second_step(classroom, _challenge(browser(app), enrolled.person), code)
        assert right.status_code == 200
    statuses = [
        _second_step(classroom, _challenge(browser(app), enrolled.person), "aaaa-bbbb").status_code
        for _ in range(3)
    ]
    assert statuses == [422, 422, 429]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE auth.verification_tokens SET expires_at = now()",
        "UPDATE auth.users SET is_active = false",
    ],
)
def test_a_challenge_ends(app: Any, enrolled: Enrolled, change: str) -> None:
    page = browser(app)
    challenge = _challenge(page, enrolled.person)
    execute(change)
    answer = _second_step(page, challenge, enrolled.code())
    assert (answer.status_code, answer.json()["code"]) == (401, "totp_challenge_invalid")


def test_a_recovery_code_signs_in_once(app: Any, enrolled: Enrolled) -> None:
    page, code = browser(app), enrolled.recovery_codes[3]
    spoken = code.upper().replace("-", " ")
    assert _second_step(page, _challenge(page, enrolled.person), spoken).status_code == 200
    other = browser(app)
    assert _second_step(other, _challenge(other, enrolled.person), code).status_code == 422
    assert enrolled.person.get(TOTP).json()["recovery_codes_left"] == 9


def test_new_recovery_codes_replace_the_old(enrolled: Enrolled) -> None:
    answer = enrolled.person.post(f"{TOTP}/recovery-codes", json={"code": enrolled.code()})
    assert answer.status_code == 200
    assert not set(answer.json()["recovery_codes"]) & set(enrolled.recovery_codes)
    assert enrolled.person.get(TOTP).json()["recovery_codes_left"] == 10


def test_turning_it_off_takes_password_and_code(enrolled: Enrolled) -> None:
    person = enrolled.person
    wrong = [
        {"password": "not the password", "code": enrolled.code()},
        {"password": PASSWORD, "code": "aaaa-bbbb-cccc-dddd"},
        {"code": enrolled.code()},
    ]
    for body in wrong:
        assert person.request("DELETE", TOTP, json=body).status_code == 422
    answer = person.request(
        "DELETE", TOTP, json={"password": PASSWORD, "code": enrolled.recovery_codes[0]}
    )
    assert answer.status_code == 200
    person.api.cookies.clear()
    assert not is_signed_in(person)
    assert is_signed_in(replace(person, token=answer.json()["token"]))
    assert log_in(person.api, person.email).status_code == 200


def test_the_owner_is_told_of_codes_on_and_off(enrolled: Enrolled) -> None:
    person = enrolled.person
    assert len(mail.queued(person.email, "TOTP_ENABLED")) == 1
    refused = person.request("DELETE", TOTP, json={"password": PASSWORD, "code": "aaaa-bbbb"})
    assert refused.status_code == 422
    assert mail.queued(person.email, "TOTP_DISABLED") == []
    body = {"password": PASSWORD, "code": enrolled.code()}
    assert person.request("DELETE", TOTP, json=body).status_code == 200
    assert len(mail.queued(person.email, "TOTP_DISABLED")) == 1


def test_a_closed_account_leaves_no_secret_and_no_recovery_code(enrolled: Enrolled) -> None:
    answer = enrolled.person.request("DELETE", "/api/users/me", json={"password": PASSWORD})
    assert answer.status_code == 204
    assert value("SELECT count(*) FROM auth.totp_credentials") == 0
    assert value("SELECT count(*) FROM auth.recovery_codes") == 0


@pytest.mark.usefixtures("provider")
def test_a_code_too_is_proof_enough_to_link_and_counts_once(enrolled: Enrolled) -> None:
    path, body = "/api/auth/oauth/google/link", {"code": enrolled.code()}
    assert enrolled.person.post(path, json=body).status_code == 200
    assert enrolled.person.post(path, json=body).status_code == 422


def test_codes_sealed_with_another_key_are_a_503_that_names_the_setting(
    enrolled: Enrolled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOTP_KEY", "another key, long enough to be taken for one")
    get_settings.cache_clear()
    try:
        answer = enrolled.person.post(f"{TOTP}/recovery-codes", json={"code": enrolled.code()})
    finally:
        monkeypatch.undo()
        get_settings.cache_clear()
    assert answer.status_code == 503
    assert "TOTP_KEY" in answer.json()["detail"]


def test_enrolling_takes_the_password_and_only_once(enrolled: Enrolled, admin: Person) -> None:
    assert admin.post(TOTP, json={}).status_code == 422
    again = enrolled.person.post(TOTP, json={"password": PASSWORD})
    assert (again.status_code, again.json()["code"]) == (409, "totp_enrolled")


def test_an_account_without_a_password_sets_one_before_it_enrols_or_leaves(
    enrolled: Enrolled, other_learner: Person
) -> None:
    # Whoever took the session of somebody who signs in with a provider must not lock them out.
    execute("UPDATE auth.users SET password_hash = NULL")
    leaving = {"code": enrolled.recovery_codes[0]}
    for answer in (
        other_learner.post(TOTP, json={}),
        other_learner.post(TOTP, json={"password": PASSWORD}),
        enrolled.person.request("DELETE", TOTP, json=leaving),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "set_password_first")
    assert not other_learner.get(TOTP).json()["enrolled"]
    assert enrolled.person.get(TOTP).json()["recovery_codes_left"] == 10


def test_neither_secret_nor_recovery_code_is_readable_in_the_database(enrolled: Enrolled) -> None:
    stored = value("SELECT secret FROM auth.totp_credentials")
    assert enrolled.secret not in bytes(stored)
    rows = str(value("SELECT string_agg(to_jsonb(r)::text, ' ') FROM auth.recovery_codes r"))
    assert not any(code.replace("-", "") in rows for code in enrolled.recovery_codes)


def test_a_provider_vouches_for_the_first_step_alone(
    app: Any, enrolled: Enrolled, provider: Any
) -> None:
    execute("UPDATE auth.users SET email_verified_at = now()")
    grace = replace(provider.people["grace"], email=enrolled.person.email)
    provider.people = {**provider.people, "grace": grace}
    page = browser(app)
    answer = trip(page, "grace")
    place, _, fragment = answer.headers["location"].partition("#totp_challenge=")
    assert place == "https://app.example.com/sign-in"
    assert "studypack_session" not in page.cookies
    assert _second_step(page, fragment.split("&")[0], enrolled.code()).status_code == 200


def test_a_role_that_needs_codes_does_nothing_without(admin: Person, support: Person) -> None:
    change_setting("totp_required_roles", ["ADMIN"])
    assert support.get("/api/admin/users").status_code == 200
    refused = admin.get("/api/admin/users")
    assert (refused.status_code, refused.json()["code"]) == (403, "totp_enrolment_required")
    assert admin.get("/api/users/me").status_code == 200
    assert _enrol(admin).person.get("/api/admin/users").status_code == 200


def test_by_default_admins_need_codes() -> None:
    from studypack.core.business_settings import BusinessSettings

    assert BusinessSettings().totp_required_roles == {"ADMIN"}
