from __future__ import annotations

import pytest

from local import seed
from local.environment import is_here
from studypack.core.config import Settings
from tests.support import bank


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("postgresql://u:p@127.0.0.1:5432/d", True),
        ("postgresql://u:p@localhost/d", True),
        ("postgresql://u:p@[::1]/d", True),
        ("postgresql://u:p@db.example.com/d", False),
        ("postgresql://u:p@10.0.0.7/127.0.0.1", False),
    ],
)
def test_a_database_is_here_when_its_host_is_this_machine(url: str, here: bool) -> None:
    assert is_here(url) is here


def test_a_database_elsewhere_gets_courses_and_no_demo_people_or_settings(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank.execute("DELETE FROM auth.users")
    bank.execute("DELETE FROM auth.settings")
    elsewhere = Settings(DATABASE_URL="postgresql://u:p@db.example.com/d")
    monkeypatch.setattr(seed, "get_settings", lambda: elsewhere)

    lines: list[str] = []
    seed.seed(lines.append)

    assert lines[0] == "courses only: the database is not this machine's own"
    assert any("114 unchanged" in line for line in lines)
    assert bank.value("SELECT count(*) FROM auth.users") == 0
    assert bank.value("SELECT count(*) FROM auth.settings") == 0
