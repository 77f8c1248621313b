"""The documented API under data that fits its document and data that does not.

No input may cause a 5xx, every answer must be one that the document describes, and what does not
fit must be refused.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy import text

from local import openapi
from local import template as sam
from studypack.core.database import transaction
from tests.support import exams, ledger, quizzes
from tests.support.people import Person

SCHEMA = schemathesis.openapi.from_dict(openapi.document(sam.read()))
OPERATIONS = {found.ok().label: found.ok() for found in SCHEMA.get_all_operations()}
BACK_OFFICE = sorted(name for name in OPERATIONS if "/api/admin/" in name)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@schemathesis.serializer("application/zip")
def _as_file(_context: object, value: Any) -> bytes:
    """What is no text is sent as the text of it."""
    return value if isinstance(value, bytes) else getattr(value, "data", str(value).encode())


EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "3"))
"""Of each kind for an operation: some 300 operations times two are minutes. `make fuzz` has 60."""

QUIET = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


class World:
    """Somebody signed in, for exams with one under way, for billing with a subscription of which
    Stripe knows nothing, so that what fits also finds something.
    """

    def __init__(
        self,
        sign_up: Callable[..., Person],
        role: str,
        *,
        with_exam: bool,
        with_money: bool,
        with_quiz: bool,
    ) -> None:
        self._sign_up, self._role = sign_up, role
        self._with_exam, self._with_money = with_exam, with_money
        self._with_quiz = with_quiz
        self._renew()

    def _renew(self) -> None:
        self.person = self._sign_up(role=self._role)
        self.exam = exams.start(self.person) if self._with_exam else None
        self.money = (
            vars(ledger.fill(self.person, member=self._sign_up())) if self._with_money else {}
        )
        self.quiz = quizzes.a_quiz() if self._with_quiz else None
        self.attempt = quizzes.begin(self.person, self.quiz) if self.quiz else None
        self.turn = 0

    def help(self, case: Case) -> None:
        """Replace every second time what cannot be guessed: ids of rows, the name of an exam."""
        self.turn += 1
        if self.turn % 2:
            return
        real = {
            "user_id": str(self.person.id),
            "template": "ot-intervention-drill",
            "sku": "enterprise-annual",
            **self.money,
        }
        if self.exam is not None:
            item = self.exam["items"][self.turn % len(self.exam["items"])]
            real |= {"session_id": self.exam["id"], "question_id": item["question_id"]}
        if self.quiz is not None and self.attempt is not None:
            real |= {
                "quiz_id": str(self.quiz.id),
                "attempt_id": self.attempt["id"],
                "question_id": self.attempt["items"][0]["question_id"],
                "course_id": str(self.quiz.course.id),
                "module_id": str(self.quiz.course.modules[0]),
            }
        if case.path_parameters:
            case.path_parameters = _replaced(case.path_parameters, real)
        if isinstance(case.body, dict):
            case.body = _replaced(case.body, real)

    def send(self, case: Case) -> Any:
        """Send a case in process, signed in, and check what comes back."""
        with transaction() as session:
            # So many sign-ups and logins from one address would all be a 429.
            session.execute(text("DELETE FROM auth.throttles"))
        request = case.as_transport_kwargs(base_url="https://api.example.com")
        headers = {**request.pop("headers"), "Authorization": f"Bearer {self.person.token}"}
        request.pop("cookies", None)
        body = request.pop("data", None)
        if body is not None:
            request["content"] = body
        self.person.api.cookies.clear()
        answer = self.person.api.request(headers=headers, **request)
        if answer.status_code == 401 or case.operation.label.endswith("/logout"):
            self._renew()
        return answer


@pytest.fixture(scope="module")
def app() -> Any:
    """All API functions with their health checks."""
    load_all_checks()
    return openapi.application(sam.read())


def _replaced(values: dict[str, Any], real: dict[str, Any]) -> dict[str, Any]:
    return {name: real.get(name, value) for name, value in values.items()}


def _takes_any_text(name: str) -> bool:
    """Whether a search is among its parameters: in an address everything is text, so no value of
    `q` is a wrong one.
    """
    method, path = name.split()
    parameters = openapi.document(sam.read())["paths"][path][method.lower()].get("parameters", [])
    return any((each["in"], each["name"]) == ("query", "q") for each in parameters)


def _takes_plain_text_alone(name: str) -> bool:
    """Whether there is nothing in an operation's input that could be wrong."""
    method, path = name.split()
    described = openapi.document(sam.read())["paths"][path][method.lower()]
    return "requestBody" not in described and all(
        each["schema"].get("type") == "string" and "pattern" not in each["schema"]
        for each in described.get("parameters", [])
        if each["in"] != "header"
    )


def _fuzz(
    name: str, sign_up: Callable[..., Person], role: str = "USER", quiet: settings = QUIET
) -> set[int]:
    """Run one operation's cases, those that fit and those that do not; the statuses that came."""
    operation = OPERATIONS[name]
    world = World(
        sign_up,
        role,
        with_exam="/api/exams/sessions" in name,
        with_money="/api/billing/" in name,
        with_quiz="/quiz" in name,
    )
    statuses: set[int] = set()

    @quiet
    @given(operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
    def fitting(case: Case) -> None:
        world.help(case)
        answer = world.send(case)
        statuses.add(answer.status_code)
        case.validate_response(answer, checks=list(CHECKS))

    rejection = [] if _takes_any_text(name) else [negative_data_rejection]

    @quiet
    @given(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
    def spoilt(case: Case) -> None:
        answer = world.send(case)
        statuses.add(answer.status_code)
        case.validate_response(answer, checks=[*CHECKS, *rejection])

    fitting()
    if operation.body or operation.query or operation.path_parameters:
        try:
            spoilt()
        except Unsatisfiable:  # no value of a parameter that is plain text is a wrong one
            assert _takes_plain_text_alone(name)
    return statuses


@pytest.mark.usefixtures("standin")
@pytest.mark.parametrize("name", sorted(OPERATIONS.keys() - set(BACK_OFFICE)))
def test_an_operation_answers_as_documented_and_refuses_what_does_not_fit(
    name: str, sign_up: Callable[..., Person]
) -> None:
    assert max(_fuzz(name, sign_up)) < 500


@pytest.mark.usefixtures("standin")
@pytest.mark.parametrize("name", BACK_OFFICE)
def test_the_back_office_answers_an_admin_as_documented(
    name: str, sign_up: Callable[..., Person]
) -> None:
    assert max(_fuzz(name, sign_up, "ADMIN")) < 500


@pytest.mark.usefixtures("standin")
@pytest.mark.parametrize("name", BACK_OFFICE)
def test_the_back_office_refuses_a_learner_whatever_is_sent(
    name: str, sign_up: Callable[..., Person]
) -> None:
    # 400 and 404: text that no address may hold, and an address that is another's or nobody's.
    few = settings(QUIET, max_examples=max(1, EXAMPLES // 3))  # the role is looked at first
    assert _fuzz(name, sign_up, "USER", few) <= {400, 403, 404, 422}


def test_every_operation_is_tried() -> None:
    assert len(OPERATIONS) == sum(1 for _ in openapi.operations(openapi.document(sam.read())))
    assert len(BACK_OFFICE) >= 3
