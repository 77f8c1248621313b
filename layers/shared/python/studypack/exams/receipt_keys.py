"""The keys that sign exam receipts: Ed25519 (RFC 8032), named and published as JWK (RFC 8037).

Pure. `cryptography` is imported where a signature is made or checked, not before: most requests to
the exams never do.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from studypack.core.canonical_json import canonical

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PUBLIC_KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
MIN_SECRET_CHARACTERS: Final = 32
"""Of a generated secret: 32 random letters and digits are 190 bits."""

_SEED_PURPOSE: Final = b"studypack exam receipt key\n"


class InvalidKey(ValueError):
    """A key cannot be read; the message never repeats it."""


@dataclass(frozen=True)
class SigningKey:
    """The private key, under the name that its public key gives it."""

    id: str
    public: bytes
    _private: Ed25519PrivateKey

    def sign(self, message: bytes) -> bytes:
        """The signature, 64 bytes; the same message always gives the same."""
        return self._private.sign(message)


@dataclass(frozen=True)
class KeyRing:
    """The key that signs now and the public keys of those before it: their receipts stay valid."""

    signing: SigningKey
    retired: tuple[bytes, ...] = ()

    @property
    def public_keys(self) -> dict[str, bytes]:
        """Every public key by its id, the signing one first."""
        return {key_id(key): key for key in (self.signing.public, *self.retired)}


def key_id(public: bytes) -> str:
    """The key's JWK thumbprint (RFC 7638): whoever has a key can tell which receipts it signed."""
    members = {"crv": "Ed25519", "kty": "OKP", "x": encode(public)}
    return encode(hashlib.sha256(canonical(members).encode()).digest())


def jwk(public: bytes) -> dict[str, str]:
    """A public key as a JSON Web Key."""
    return {
        "kty": "OKP",
        "crv": "Ed25519",
        "alg": "EdDSA",
        "use": "sig",
        "kid": key_id(public),
        "x": encode(public),
    }


@lru_cache(maxsize=4)
def read_key_ring(secret: str) -> KeyRing:
    """The keys of a secret, in one of three forms.

    - a private key in PEM, as `openssl genpkey -algorithm ed25519` writes it;
    - any secret text of at least 32 characters, as Secrets Manager generates it;
    - JSON: {"current": one of these, "retired": ["a public key (the x of its JWK)", ...]}.

    Raises InvalidKey.
    """
    if not secret.lstrip().startswith("{"):
        return KeyRing(_signing_key(secret))
    try:
        document = json.loads(secret)
    except ValueError:
        raise InvalidKey("it begins like JSON and is none") from None
    current, retired = document.get("current"), document.get("retired", [])
    if not isinstance(current, str) or not isinstance(retired, list):
        raise InvalidKey('"current" must be a text, "retired" a list')
    return KeyRing(_signing_key(current), tuple(_public_key(key) for key in retired))


def read_public_keys(text: str) -> dict[str, bytes]:
    """Public keys by id: of a JWK set, of one JWK, or in PEM.

    Raises InvalidKey.
    """
    if "-----BEGIN PUBLIC KEY-----" in text:
        return _by_id([_public_key_of_pem(text)])
    try:
        document = json.loads(text)
    except ValueError:
        raise InvalidKey("neither JSON nor a public key in PEM") from None
    if not isinstance(document, Mapping):
        raise InvalidKey("neither a JSON Web Key nor a set of them")
    keys = document.get("keys", [document])
    if not isinstance(keys, list):
        raise InvalidKey('"keys" is no list')
    return _by_id([_public_key_of_jwk(key) for key in keys])


def is_signed_by(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature is this key's over the message."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def encode(data: bytes) -> str:
    """Bytes as base64url without padding (RFC 7515)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """The bytes of `encode`'s text.

    Raises ValueError for any other text than `encode` would write.
    """
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
    if encode(data) != text:
        raise ValueError("this is no base64url")
    return data


def _signing_key(secret: str) -> SigningKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if "-----BEGIN" in secret:
        try:
            private = load_pem_private_key(secret.strip().encode(), password=None)
        except (TypeError, ValueError):
            raise InvalidKey("its PEM cannot be read") from None
        if not isinstance(private, Ed25519PrivateKey):
            raise InvalidKey("its PEM holds another kind of key than Ed25519")
    else:
        if len(secret.strip()) < MIN_SECRET_CHARACTERS:
            raise InvalidKey(f"it is shorter than {MIN_SECRET_CHARACTERS} characters")
        seed = hashlib.sha256(_SEED_PURPOSE + secret.strip().encode()).digest()
        private = Ed25519PrivateKey.from_private_bytes(seed)
    public = private.public_key().public_bytes_raw()
    return SigningKey(key_id(public), public, private)


def _public_key(x: object) -> bytes:
    try:
        public = decode(x) if isinstance(x, str) else b""
    except ValueError:
        public = b""
    if len(public) != PUBLIC_KEY_BYTES:
        raise InvalidKey("a public key is 32 bytes in base64url, as the x of its JWK")
    return public


def _public_key_of_jwk(key: Any) -> bytes:
    if not isinstance(key, Mapping) or (key.get("kty"), key.get("crv")) != ("OKP", "Ed25519"):
        raise InvalidKey("a JSON Web Key of the kind OKP with the curve Ed25519 is wanted")
    public = _public_key(key.get("x"))
    if key.get("kid", key_id(public)) != key_id(public):
        raise InvalidKey("a key's kid is not its thumbprint")
    return public


def _public_key_of_pem(text: str) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        public = load_pem_public_key(text.strip().encode())
    except ValueError:
        raise InvalidKey("its PEM cannot be read") from None
    if not isinstance(public, Ed25519PublicKey):
        raise InvalidKey("its PEM holds another kind of key than Ed25519")
    return public.public_bytes_raw()


def _by_id(keys: Iterable[bytes]) -> dict[str, bytes]:
    return {key_id(key): key for key in keys}
