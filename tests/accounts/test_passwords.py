from __future__ import annotations

import pytest

from studypack.accounts.passwords import (
    check_new_password,
    hash_password,
    needs_rehash,
    verify_password,
)
from studypack.core.errors import Unprocessable

EMAIL = "lea.brandt@example.com"

pytestmark = pytest.mark.usefixtures("promised_hashing")


def test_a_password_is_known_by_its_hash_and_no_other_is() -> None:
    stored = hash_password("violet canal lantern")
    assert verify_password(stored, "violet canal lantern")
    assert not verify_password(stored, "violet canal lanterm")
    assert not needs_rehash(stored)


def test_two_hashes_of_one_password_differ() -> None:
    assert hash_password("violet canal lantern") != hash_password("violet canal lantern")


@pytest.mark.parametrize("stored", [None, "", "x", "$argon2id$v=19$m=19456,t=2,p=1$broken"])
def test_without_a_usable_hash_no_password_is_right(stored: str | None) -> None:
    assert not verify_password(stored, "no account has this password")


def test_a_password_may_be_in_any_script() -> None:
    stored = hash_password("пароль 李 🦉 long")
    assert verify_password(stored, "пароль 李 🦉 long")


@pytest.mark.parametrize(
    "password", ["violet canal lantern", "correct-horse-9", "0123456789ab", "zzzzyyyyxxxxw"]
)
def test_a_password_that_is_not_easy_to_guess_is_taken(password: str) -> None:
    check_new_password(password, email=EMAIL)


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("password1234", "too_common"),
        ("PASSWORD1234", "too_common"),
        ("StudyPack123", "too_common"),
        ("aaaaaaaaaaaa", "too_common"),
        ("abcabcABCabc", "too_common"),
        ("my-lea.brandt-1", "contains_email"),
        ("LEA.BRANDT2026", "contains_email"),
    ],
)
def test_a_password_that_is_easy_to_guess_is_refused_by_the_fields_name(
    password: str, code: str
) -> None:
    with pytest.raises(Unprocessable) as refused:
        check_new_password(password, email=EMAIL, field="new_password")
    assert [(error.field, error.code) for error in refused.value.errors] == [("new_password", code)]
    assert password not in str(refused.value)


def test_a_very_short_name_in_the_address_may_occur_in_a_password() -> None:
    check_new_password("lea likes lanterns", email="lea@example.com")
