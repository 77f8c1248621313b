"""One OpenAPI document of all API functions: `python -m local.openapi [--check]`."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts

from local import template as sam

PATH = sam.ROOT / "docs" / "openapi.json"

DESCRIPTION = """\
The backend of StudyPack, a paid learning and exam-prep platform.

**Signing in.** `POST /api/auth/login` sets the cookie `studypack_session` for browsers and returns
the same token for `Authorization: Bearer`. A write with the cookie needs an allowed `Origin`.

**Errors** are problem documents (RFC 9457, `application/problem+json`) with a stable `code`;
`errors` names the fields at fault. Somebody else's row is a 404; a missing entitlement a 402 that
names the features; 429 and 503 carry `Retry-After`.

**Lists** are `{"items": [...], "next_cursor": null | "..."}`: ask again with `cursor=next_cursor`.

**Times** are ISO 8601 in UTC. Answers with a deadline also carry `server_now`, so that a client
with a wrong clock can still count down.

**Repeating.** POSTs that start something costly take an `Idempotency-Key`: the same key with the
same input gets the first answer again, the same key with other input is refused.
"""

TAGS = {
    "auth": "Sign-up, sign-in, sessions, verification and passwords.",
    "users": "The signed-in person: account, profile and preferences.",
    "exams": "Timed exams: choose, start, answer, pause, submit and review.",
    "courses": "Catalogue, lessons, progress, notes, search, certificates.",
    "quizzes": "Short sets of questions: attempts, answers, results and their analysis.",
    "billing": "Products, checkout, purchases, subscriptions, invoices.",
    "community": "Notifications, and links of mails to unsubscribe.",
    "admin": "What support and administrators do.",
    "config": "Public settings for browser clients.",
    "health": "Whether each function is up and reaches its database.",
}

SECURITY_SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "The token that sign-in returned",
    },
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "studypack_session",
        "description": "Set by sign-in; browsers send it by themselves",
    },
}

_METHODS = ("get", "put", "post", "delete", "patch", "head", "options", "trace")


@cache
def routers(template: sam.Template) -> tuple[tuple[sam.Function, APIRouter], ...]:
    """Every API function's router with its health check, in the template's order."""
    from studypack.core.http.app import health_router

    found: list[tuple[sam.Function, APIRouter]] = []
    for function in template.of_kind(sam.Kind.API):
        router: APIRouter = importlib.import_module(f"{function.package}.routes").router
        found += [(function, router), (function, health_router(str(router.tags[0])))]
    return tuple(found)


def routes_of(router: APIRouter) -> Iterator[tuple[str, str, Dependant]]:
    """Method, path and dependencies of every route of a router."""
    for context in iter_route_contexts(router.routes):
        if isinstance(context.original_route, APIRoute):
            for method in sorted(context.methods or ()):
                yield method, str(context.path_format), context.dependant


def application(template: sam.Template) -> FastAPI:
    """All API functions as one application, without documentation routes."""
    from studypack.core.http.app import create_app

    return create_app(
        [router for _function, router in routers(template)],
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )


def document(template: sam.Template) -> dict[str, Any]:
    """The merged document, everything in a fixed order."""
    from studypack.core.http.problems import Problem

    app = application(template)
    made = get_openapi(
        title=app.title,
        version=app.version,
        description=DESCRIPTION,
        routes=app.routes,
        servers=[{"url": "/"}],
    )
    components = made.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= problem.pop("$defs", {})
    schemas["Problem"] = problem
    components["schemas"] = dict(sorted(schemas.items()))
    components["securitySchemes"] = SECURITY_SCHEMES
    _complete_operations(made, template)
    used = {tag for operation in operations(made) for tag in operation["tags"]}
    made["tags"] = [
        {"name": name, "description": description}
        for name, description in TAGS.items()
        if name in used
    ]
    made["paths"] = {
        path: dict(sorted(item.items(), key=lambda each: _METHODS.index(each[0])))
        for path, item in sorted(made["paths"].items())
    }
    return made


def _complete_operations(made: dict[str, Any], template: sam.Template) -> None:
    """Give every operation one tag, and say who may call it."""
    for _function, router in routers(template):
        for method, path, dependant in routes_of(router):
            operation = made["paths"][path].get(method.lower())
            if operation is None:
                continue
            # The last tag is the route's own, e.g. "config" on a route of "auth".
            operation["tags"] = operation["tags"][-1:]
            callables = set(_callables(dependant))
            if "current_user" in callables:
                operation["security"] = [{"bearer": []}, {"cookie": []}]
            elif "optional_user" in callables:
                operation["security"] = [{}, {"bearer": []}, {"cookie": []}]


def _callables(dependant: Dependant) -> Iterator[str]:
    """The names of a route's dependencies, theirs included."""
    for each in dependant.dependencies:
        yield str(getattr(each.call, "__name__", ""))
        yield from _callables(each)


def operations(made: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every operation of a document."""
    for item in made["paths"].values():
        yield from item.values()


def rendered(made: dict[str, Any]) -> str:
    """The document as its file has it."""
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What changed between two documents, a line an operation or schema."""
    lines: list[str] = []
    for what, old, new in (
        ("operation", _by_operation(before), _by_operation(after)),
        ("schema", _schemas(before), _schemas(after)),
    ):
        lines += [f"- {what} {name}" for name in sorted(old.keys() - new.keys())]
        lines += [f"+ {what} {name}" for name in sorted(new.keys() - old.keys())]
        both = sorted(old.keys() & new.keys())
        lines += [f"~ {what} {name}" for name in both if old[name] != new[name]]
    rest = ("openapi", "info", "servers", "tags")
    lines += [f"~ {name}" for name in rest if before.get(name) != after.get(name)]
    return lines


def _by_operation(made: dict[str, Any]) -> dict[str, Any]:
    return {
        f"{method.upper()} {path}": operation
        for path, item in made.get("paths", {}).items()
        for method, operation in item.items()
    }


def _schemas(made: dict[str, Any]) -> dict[str, Any]:
    return dict(made.get("components", {}).get("schemas", {}))


def main(arguments: list[str] | None = None) -> int:
    """Write the document, or compare it; 1 when the written one is out of date."""
    parser = argparse.ArgumentParser(prog="python -m local.openapi", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, exit 1 if it differs")
    parser.add_argument("--path", type=Path, default=PATH)
    given = parser.parse_args(arguments)
    made = document(sam.read())
    if not given.check:
        given.path.parent.mkdir(parents=True, exist_ok=True)
        given.path.write_text(rendered(made), encoding="utf-8")
        return 0
    written = given.path.read_text(encoding="utf-8") if given.path.is_file() else "{}"
    if written == rendered(made):
        return 0
    lines = differences(json.loads(written), made) or ["~ the order or spelling of the file"]
    sys.stderr.write("docs/openapi.json is out of date, run `make openapi`:\n")
    sys.stderr.writelines(f"  {line}\n" for line in lines[:40])
    if len(lines) > 40:
        sys.stderr.write(f"  and {len(lines) - 40} more\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
