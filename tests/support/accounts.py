"""Accounts in a test: browsers of their own, and what is stored about a person."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import text
from starlette.testclient import TestClient

from studypack.core.business_settings import set_business_setting
from studypack.core.database import transaction
from tests.support.people import PASSWORD, Person

ORIGIN = "https://app.example.com"


def browser(app: Any, address: str = "203.0.113.7") -> TestClient:
    """A browser on our page: it keeps cookies and sends Origin."""
    return TestClient(
        app,
        base_url="https://api.example.com",
        headers={"Origin": ORIGIN},
        client=(address, 50_000),
        raise_server_exceptions=False,
    )


def log_in(client: TestClient, email: str, password: str = PASSWORD) -> Any:
    """Try to sign in; the answer, whatever it is."""
    return client.post("/api/auth/login", json={"email": email, "password": password})


def on_another_device(person: Person, password: str = PASSWORD) -> Person:
    """The same person with a further session."""
    answer = log_in(person.api, person.email, password)
    assert answer.status_code == 200, answer.text
    person.api.cookies.clear()
    return Person(person.api, person.id, person.email, answer.json()["token"])


def is_signed_in(person: Person) -> bool:
    """Whether the person's token still opens something."""
    return bool(person.get("/api/users/me").status_code == 200)


def change_setting(key: str, value: Any) -> None:
    """Put a business setting in force."""
    with transaction() as session:
        set_business_setting(session, key, value)


def execute(statement: str, **values: Any) -> None:
    """Change something behind the application's back."""
    with transaction() as session:
        session.execute(text(statement), values)


def value(statement: str, **values: Any) -> Any:
    """One value out of the database."""
    with transaction() as session:
        return session.scalar(text(statement), values)


def values(statement: str, **given: Any) -> list[Any]:
    """A column out of the database."""
    with transaction() as session:
        return list(session.scalars(text(statement), given))


def email_of(user_id: UUID) -> str:
    """The address an account has now."""
    return str(value("SELECT email FROM auth.users WHERE id = :id", id=user_id))


def fields(answer: Any) -> list[tuple[str, str]]:
    """Field and code of each error in a problem document."""
    return [(error["field"], error["code"]) for error in answer.json()["errors"]]
