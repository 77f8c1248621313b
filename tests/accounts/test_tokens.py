from __future__ import annotations

import base64

from studypack.accounts.tokens import hash_token, new_token


def test_a_token_is_256_random_bits_and_none_comes_twice() -> None:
    tokens = [new_token() for _ in range(1_000)]

    assert len(set(tokens)) == len(tokens)
    raw = [base64.urlsafe_b64decode(token + "=") for token in tokens]
    assert {len(each) for each in raw} == {32}
    ones = sum(bin(int.from_bytes(each, "big")).count("1") for each in raw)
    assert abs(ones / (1_000 * 256) - 0.5) < 0.01


def test_what_is_kept_of_a_token_is_its_hash() -> None:
    assert hash_token("a") != hash_token("b")
    assert len(hash_token("a")) == 32
