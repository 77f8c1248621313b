"""HTTP: application factory, Lambda adapter, dependencies, problems, pages."""

from studypack.core.http.app import create_app, lambda_handler
from studypack.core.http.dependencies import ClientAddress, DbSession, Paging, SessionToken
from studypack.core.http.schemas import (
    AcceptedOut,
    In,
    LongText,
    Moment,
    Out,
    ShortText,
    UtcTime,
)
from studypack.core.paging import Page, PageParams, page_of

__all__ = [
    "AcceptedOut",
    "ClientAddress",
    "DbSession",
    "In",
    "LongText",
    "Moment",
    "Out",
    "Page",
    "PageParams",
    "Paging",
    "SessionToken",
    "ShortText",
    "UtcTime",
    "create_app",
    "lambda_handler",
    "page_of",
]
