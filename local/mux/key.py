"""The key that signs who may watch on this machine: made once, kept in the state folder."""

from __future__ import annotations

from pathlib import Path

from local.receipt_key import kept

NAME = "mux.key"


def ensure(state: Path) -> str:
    """The private key (PEM), made at the first call."""
    return kept(state / NAME, make)


def make() -> str:
    """A new private key (PEM), of the size that Mux gives out."""
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    key = generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_half(private_pem: str) -> str:
    """What checks signatures, as PEM."""
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        load_pem_private_key,
    )

    public = load_pem_private_key(private_pem.encode(), None).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
