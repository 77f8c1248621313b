from __future__ import annotations

import string

import pytest

from studypack.accounts.common_passwords import FINGERPRINT_BYTES, fingerprints, is_common
from studypack.accounts.passwords import MAXIMUM_LENGTH, check_new_password, verify_password
from studypack.accounts.passwords import hash_password as hashed
from studypack.core.errors import Unprocessable

EMAIL = "lea.brandt@example.com"


def test_the_list_has_more_than_the_three_thousand_that_a_standard_asks_for() -> None:
    assert len(fingerprints()) > 3_000
    assert {len(entry) for entry in fingerprints()} == {FINGERPRINT_BYTES}


@pytest.mark.parametrize(
    "password",
    [
        *("1234567890", "qwertyuiop", "1q2w3e4r5t", "1qaz2wsx3edc", "password123", "a123456789"),
        *("basketball", "Basketball", "BASKETBALL", "basketball1", "Basketball2026!", "liverpool1"),
        *("california", "university", "television", "aleksandra", "manchester", "playstation"),
    ],
)
def test_what_attackers_try_first_is_refused(password: str) -> None:
    assert is_common(password)
    with pytest.raises(Unprocessable) as refused:
        check_new_password(password, email=EMAIL)
    assert [error.code for error in refused.value.errors] == ["too_common"]


@pytest.mark.parametrize("password", ["passwordpassword", "lanternlantern", "abcdeabcdeabcde"])
def test_one_word_over_and_over_is_refused(password: str) -> None:
    with pytest.raises(Unprocessable):
        check_new_password(password, email=EMAIL)


@pytest.mark.parametrize(
    "password", ["StudyPack2026", "studypackadmin", "my exam course!", "learner-support-1"]
)
def test_a_password_of_this_products_words_is_refused(password: str) -> None:
    with pytest.raises(Unprocessable):
        check_new_password(password, email=EMAIL)


@pytest.mark.parametrize(
    "password",
    [
        "violet canal lantern",
        "my courses of violet lanterns",
        string.ascii_lowercase,
        string.ascii_uppercase,
        "9182736455463728",
        string.punctuation,
        "   spaces   around   ",
        "\t李 canal länterń\t",
        "静かな運河の灯り、とても",
        "e\u0301te\u0301 \u00e9t\u00e9 🦉🦉",
        ("violet canal " * 20)[:MAXIMUM_LENGTH],
    ],
)
def test_any_composition_is_taken_and_kept_as_it_was_sent(password: str) -> None:
    check_new_password(password, email=EMAIL)

    stored = hashed(password)
    assert verify_password(stored, password)
    assert not verify_password(stored, password[:-1])
    assert password.swapcase() == password or not verify_password(stored, password.swapcase())
    assert password.strip() == password or not verify_password(stored, password.strip())


def test_at_least_sixty_four_characters_are_permitted() -> None:
    assert MAXIMUM_LENGTH >= 64
