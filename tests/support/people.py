"""People of the tests: each with a session of their own over the shared client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text
from starlette.testclient import TestClient

from studypack.core.database import transaction

PASSWORD = "violet canal lantern"


@dataclass(frozen=True)
class Person:
    """Somebody signed in with a bearer token."""

    api: TestClient
    id: UUID
    email: str
    token: str

    def request(self, method: str, path: str, **options: Any) -> Any:
        """Send a request as this person; answers of any status come back."""
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        self.api.cookies.clear()
        return self.api.request(method, path, headers=headers, **options)

    def get(self, path: str, **options: Any) -> Any:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> Any:
        return self.request("POST", path, **options)

    def patch(self, path: str, **options: Any) -> Any:
        return self.request("PATCH", path, **options)

    def put(self, path: str, **options: Any) -> Any:
        return self.request("PUT", path, **options)

    def delete(self, path: str, **options: Any) -> Any:
        return self.request("DELETE", path, **options)


def sign_up(
    api: TestClient,
    *,
    role: str = "USER",
    time_factor: str | None = None,
    timezone: str = "UTC",
) -> Person:
    """A new account over the API, then given a role or an accommodation directly."""
    email = f"{uuid4().hex[:12]}@example.com"
    answer = api.post(
        "/api/auth/signup", json={"email": email, "password": PASSWORD, "timezone": timezone}
    )
    assert answer.status_code == 201, answer.text
    api.cookies.clear()
    body = answer.json()
    with transaction() as session:
        # All test clients share one address; few tests are about the limit of sign-ups.
        session.execute(text("DELETE FROM auth.throttles"))
        session.execute(
            text("UPDATE auth.users SET role = :role WHERE id = :id"),
            {"role": role, "id": body["user_id"]},
        )
        if time_factor:
            session.execute(
                text(
                    "INSERT INTO auth.accommodations (id, user_id, time_factor, reason)"
                    " VALUES (gen_random_uuid(), :id, :factor, 'test')"
                ),
                {"id": body["user_id"], "factor": time_factor},
            )
    return Person(api, UUID(body["user_id"]), email, body["token"])
