"""The merged OpenAPI document: complete, valid, unambiguous, and equal to the file."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from local import openapi
from local import template as sam


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi.document(sam.read())


def test_the_written_document_is_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    status = openapi.main(["--check"])

    assert (status, capsys.readouterr().err) == (0, "")


def test_making_it_twice_gives_the_same_text() -> None:
    openapi.routers.cache_clear()
    first = openapi.rendered(openapi.document(sam.read()))

    assert openapi.rendered(openapi.document(sam.read())) == first


def test_it_is_valid_openapi(document: dict[str, Any]) -> None:
    from openapi_spec_validator import OpenAPIV31SpecValidator

    assert document["openapi"].startswith("3.1")
    assert [str(error) for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_every_route_of_every_function_is_in_it_and_reaches_that_function(
    document: dict[str, Any],
) -> None:
    template = sam.read()
    for function, router in openapi.routers(template):
        for method, path, _dependant in openapi.routes_of(router):
            concrete = re.sub(r"\{[^}]+\}", "0", path)
            assert method.lower() in document["paths"][path]
            assert template.route(method, concrete) == function, f"{method} {path}"


def test_every_operation_has_an_id_of_its_own_a_tag_and_a_description(
    document: dict[str, Any],
) -> None:
    found = list(openapi.operations(document))

    ids = [operation["operationId"] for operation in found]
    assert sorted(set(ids)) == sorted(ids)
    assert {len(operation["tags"]) for operation in found} == {1}
    assert [each["operationId"] for each in found if not each.get("description")] == []
    described = {tag["name"] for tag in document["tags"]}
    assert {operation["tags"][0] for operation in found} == described


def test_what_needs_a_signed_in_caller_says_so(document: dict[str, Any]) -> None:
    signed_in = [{"bearer": []}, {"cookie": []}]

    assert document["paths"]["/api/users/me"]["get"]["security"] == signed_in
    assert document["paths"]["/api/admin/users"]["get"]["security"] == signed_in
    assert "security" not in document["paths"]["/api/auth/login"]["post"]
    assert document["components"]["securitySchemes"]["cookie"]["name"] == "studypack_session"


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    names = set(re.findall(r'"#/components/schemas/([^"]+)"', text))

    assert names - document["components"]["schemas"].keys() == set()
    assert {"Problem", "ProblemField"} <= document["components"]["schemas"].keys()


def test_a_difference_is_summed_up_by_operation_and_schema(document: dict[str, Any]) -> None:
    before = copy.deepcopy(document)
    del before["paths"]["/api/auth/login"]
    before["paths"]["/api/old"] = {"get": {}}
    before["components"]["schemas"]["Problem"]["title"] = "Trouble"
    before["info"]["version"] = "0"

    assert openapi.differences(before, document) == [
        "- operation GET /api/old",
        "+ operation POST /api/auth/login",
        "~ schema Problem",
        "~ info",
    ]


def test_check_fails_on_an_old_file_and_writing_mends_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "docs" / "openapi.json"

    assert openapi.main(["--check", "--path", str(path)]) == 1
    assert "+ operation DELETE /api/auth/sessions" in capsys.readouterr().err
    assert openapi.main(["--path", str(path)]) == 0
    assert openapi.main(["--check", "--path", str(path)]) == 0
