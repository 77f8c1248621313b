"""Passwords: Argon2id at OWASP's minimum for it (19 MiB, 2 passes, 1 lane), and what a new one
must be.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from studypack.accounts.common_passwords import is_common
from studypack.core.errors import Unprocessable

if TYPE_CHECKING:
    from argon2 import PasswordHasher

MINIMUM_LENGTH = 10
MAXIMUM_LENGTH = 128
CONTEXT_WORDS = ("studypack", "study", "pack", "exam", "course", "learner", "support", "admin")
"""Words of this product: a password of nothing but these, digits and signs is too easy."""
_FEWEST_OTHER_LETTERS = 4
_FEWEST_CHARACTERS = 4


@lru_cache(maxsize=1)
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def hash_password(password: str) -> str:
    """The Argon2id hash in PHC form, with its own salt."""
    return _hasher().hash(password)


@lru_cache(maxsize=1)
def _hash_of_nothing() -> str:
    return hash_password("no account has this password")


def verify_password(password_hash: str | None, password: str) -> bool:
    """Whether this is the password; takes as long when there is no account (None) as when it is
    wrong.
    """
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        matches = _hasher().verify(password_hash or _hash_of_nothing(), password)
    except (VerificationError, InvalidHashError):
        return False
    return matches and bool(password_hash)


def needs_rehash(password_hash: str) -> bool:
    """Whether the hash was made with weaker parameters than today's."""
    return _hasher().check_needs_rehash(password_hash)


def check_new_password(password: str, *, email: str, field: str = "password") -> None:
    """Raise Unprocessable naming the field when a password is too common, made of this product's
    words, or contains the address.

    Length is the request model's matter. No rules of composition: NIST SP 800-63B-4 advises against
    them.
    """
    lowered = password.lower()
    if is_common(password) or _repeats_itself(lowered) or _of_context_words(lowered):
        raise Unprocessable.field(field, "This password is too easy to guess.", code="too_common")
    name = email.partition("@")[0].lower()
    if len(name) >= 4 and name in lowered:
        raise Unprocessable.field(
            field, "The password may not contain your e-mail address.", code="contains_email"
        )


def _repeats_itself(lowered: str) -> bool:
    """Few characters, or one word over and over."""
    return len(set(lowered)) < _FEWEST_CHARACTERS or lowered in (lowered + lowered)[1:-1]


def _of_context_words(lowered: str) -> bool:
    rest = lowered
    for word in CONTEXT_WORDS:
        rest = rest.replace(word, "")
    return rest != lowered and sum(map(str.isalpha, rest)) < _FEWEST_OTHER_LETTERS
