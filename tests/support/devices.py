"""A person's second device."""

from __future__ import annotations

from dataclasses import replace

from tests.support.people import PASSWORD, Person


def another_device(person: Person) -> Person:
    """The same person, signed in anew."""
    answer = person.api.post("/api/auth/login", json={"email": person.email, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    person.api.cookies.clear()
    return replace(person, token=answer.json()["token"])
