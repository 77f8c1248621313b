"""No file under version control holds a key, a password that is used anywhere, or personal data."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SHAPES = {
    "a private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s*[A-Za-z0-9+/]{16}",
    "an AWS access key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "an AWS secret key": r"(?i)aws_secret_access_key\W{1,5}[A-Za-z0-9/+]{40}\b",
    "a Stripe key": r"\b(?:sk|rk)_(?:live|test)_[0-9A-Za-z]{16,}",
    "a webhook secret": r"\bwhsec_[0-9A-Za-z]{16,}",
    "a GitHub token": r"\b(?:gh[pousr]_[0-9A-Za-z]{36}|github_pat_[0-9A-Za-z_]{22,})",
    "a Google key": r"\bAIza[0-9A-Za-z_-]{35}\b",
    "a Google client secret": r"\bGOCSPX-[0-9A-Za-z_-]{20,}",
    "a Slack token": r"\bxox[abprs]-[0-9A-Za-z-]{10,}",
    "a model provider's key": r"\bsk-(?:ant-|proj-)?[0-9A-Za-z_-]{32,}",
    "a signed token": r"\beyJ[0-9A-Za-z_-]{16,}\.eyJ[0-9A-Za-z_-]{16,}\.[0-9A-Za-z_-]{16,}",
    "a registry with credentials": r"https?://[^\s/:@'\"{}<>$]+:[^\s/@'\"{}<>$]{6,}@[a-z0-9.-]+",
    "a database's password": (
        r"postgres(?:ql)?://[^\s/:@'\"{}<>$]+:"
        r"(?!password@|secret@|pass@|x@|p@)[^\s/@'\"{}<>$]{8,}@(?!127\.0\.0\.1|localhost|db)"
    ),
}
_COMPILED = {kind: re.compile(shape) for kind, shape in SHAPES.items()}

PLANTED = {
    "a private key": "-----BEGIN PRIVATE " + "KEY-----\nMC4CAQAwBQYDK2VwBCIEIA",
    "an AWS access key": "AKIA" + "Q3EGRT7XUVJ2MZ5A",
    "an AWS secret key": "aws_secret_access_key = " + "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzK1x9QwErT",
    "a Stripe key": "sk_" + "live_4eC39HqLyjWDarjtT1zdp7dc",
    "a webhook secret": "whsec_" + "abcdefghijklmnop1234",
    "a GitHub token": "ghp_" + "a1B2" * 9,
    "a Google key": "AIza" + "SyA-1234567890abcdefghijklmnopqrstu",
    "a Google client secret": "GOCSPX" + "-abcdefghij_klmnopqrst",
    "a Slack token": "xoxb-" + "123456789012-abc",
    "a model provider's key": "sk-" + "ant-" + "a1B2c3D4" * 4,
    "a signed token": ".".join(
        ["eyJ" + "hbGciOiJIUzI1NiJ9", "eyJ" + "zdWIiOiIxMjM0NTY3ODkwIn0", "abcdefghijklmnopqrstuvw"]
    ),
    "a registry with credentials": "https://user:" + "s3cretvalue@registry.example.com/simple",
    "a database's password": "postgresql://app:" + "Zk29qLx81@ep-cool.example.com/x",
}


def _tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name]


def _found(text: str) -> list[str]:
    return [kind for kind, shape in _COMPILED.items() if shape.search(text)]


def test_no_tracked_file_holds_a_secret() -> None:
    found = []
    for path in _tracked():
        if path.is_file() and path != Path(__file__):
            text = path.read_text(encoding="utf-8", errors="ignore")
            found += [f"{path.relative_to(ROOT)}: {kind}" for kind in _found(text)]

    assert found == []


@pytest.mark.parametrize("kind", sorted(SHAPES))
def test_a_planted_secret_of_each_kind_is_found(kind: str) -> None:
    assert kind in _found(f'value = "{PLANTED[kind]}"')


def test_no_file_that_holds_secrets_by_its_kind_is_tracked() -> None:
    suspicious = re.compile(r"(^|/)(\.env(\..+)?|id_(rsa|ed25519)|.*\.(pem|key|p12|pfx|kdbx))$")

    assert [str(path) for path in _tracked() if suspicious.search(path.as_posix())] == []
