"""Keys of receipts: read from a secret, named by their thumbprint, published and read back."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from studypack.exams.receipt_keys import (
    InvalidKey,
    decode,
    encode,
    is_signed_by,
    jwk,
    key_id,
    read_key_ring,
    read_public_keys,
)

GENERATED = "kJ8s0dPq2mXv7Zr4TnYb6WcEfGhLaQiU"


def pem(private: object) -> str:
    return private.private_bytes(  # type: ignore[attr-defined]
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    ).decode()


def test_the_id_of_a_key_is_its_thumbprint_as_in_rfc_8037() -> None:
    # Appendix A.3.
    public = decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
    assert key_id(public) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_a_private_key_in_pem_signs_as_rfc_8032_says() -> None:
    # Section 7.1, test 2.
    seed = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    ring = read_key_ring(pem(Ed25519PrivateKey.from_private_bytes(seed)))
    signature = ring.signing.sign(b"\x72")
    assert signature.hex().startswith("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223")
    assert is_signed_by(ring.signing.public, b"\x72", signature)
    assert not is_signed_by(ring.signing.public, b"\x73", signature)
    assert not is_signed_by(ring.signing.public, b"\x72", signature[:-1])


def test_a_generated_secret_is_always_the_same_key_and_another_secret_another() -> None:
    key = read_key_ring(GENERATED).signing
    read_key_ring.cache_clear()
    assert read_key_ring(f"{GENERATED}\n").signing.id == key.id
    assert read_key_ring(GENERATED.swapcase()).signing.id != key.id


def test_a_ring_keeps_the_keys_that_were_there_before() -> None:
    before = read_key_ring(GENERATED).signing
    secret = {"current": GENERATED.swapcase(), "retired": [encode(before.public)]}
    ring = read_key_ring(json.dumps(secret))
    assert list(ring.public_keys) == [ring.signing.id, before.id]


def test_published_keys_are_read_back_as_set_as_key_and_as_pem() -> None:
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    one = {key_id(public): public}
    assert read_public_keys(json.dumps({"keys": [jwk(public)]})) == one
    assert read_public_keys(json.dumps(jwk(public))) == one
    shown = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert read_public_keys(shown.decode()) == one


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "too short",
        "{",
        "{}",
        '{"current": 7}',
        '{"current": "short"}',
        json.dumps({"current": GENERATED, "retired": "no list"}),
        json.dumps({"current": GENERATED, "retired": ["AAAA"]}),
        json.dumps({"current": GENERATED, "retired": [7]}),
        "-----BEGIN PRIVATE KEY-----\nbroken\n-----END PRIVATE KEY-----",
        pem(generate_private_key(SECP256R1())),
    ],
)
def test_a_secret_that_is_no_key_is_refused_without_being_repeated(secret: str) -> None:
    with pytest.raises(InvalidKey) as refused:
        read_key_ring(secret)
    assert GENERATED not in str(refused.value)
    assert "broken" not in str(refused.value)


@pytest.mark.parametrize(
    "keys",
    [
        "",
        "[]",
        "7",
        '{"keys": 7}',
        '{"keys": [7]}',
        '{"kty": "RSA"}',
        '{"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}',
        json.dumps({**jwk(bytes(32)), "kid": "another"}),
        "-----BEGIN PUBLIC KEY-----\nbroken\n-----END PUBLIC KEY-----",
    ],
)
def test_what_holds_no_public_key_is_refused(keys: str) -> None:
    with pytest.raises(InvalidKey):
        read_public_keys(keys)


@pytest.mark.parametrize("text", ["a", "ab=", "a+b/", "aa aa", "AB", "ä"])
def test_only_base64url_as_it_is_written_is_read(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (each has another message)
        decode(text)
