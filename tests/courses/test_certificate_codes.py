"""Codes of certificates: random, and readable however they are typed."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studypack.courses.certificate_codes import ALPHABET, new_code, read_code

CODES = st.text(st.sampled_from(ALPHABET), min_size=16, max_size=16)


def test_a_code_has_eighty_random_bits_in_four_groups() -> None:
    codes = [new_code() for _ in range(500)]

    assert len(set(codes)) == 500
    assert all(re.fullmatch(r"([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}", c) for c in codes)
    assert set("".join(codes)) == {*ALPHABET, "-"}


@given(CODES)
def test_a_code_is_understood_however_it_is_typed(plain: str) -> None:
    code = "-".join(plain[at : at + 4] for at in range(0, 16, 4))

    for typed in (
        plain,
        plain.lower(),
        f" {code} ",
        code.replace("-", " "),
        code.replace("-", "\u2013"),
        code.replace("0", "O").replace("1", "l"),
        code.replace("0", "o").replace("1", "I"),
    ):
        assert read_code(typed) == code


@pytest.mark.parametrize(
    "typed",
    [
        "", "-", "7Q4M", "7Q4M-0ZKX-9TNE-3CV", "7Q4M-0ZKX-9TNE-3CVHH", "7Q4M-0ZKX-9TNE-3CVU",
        "7Q4M-0ZKX-9TNE-3CV!", "\u0667Q4M-0ZKX-9TNE-3CVH", "-" * 30 + "7Q4M0ZKX9TNE3CVH",
        "' OR 1=1 --",
    ],
)  # fmt: skip
def test_what_is_no_code_is_none(typed: str) -> None:
    assert read_code(typed) is None
