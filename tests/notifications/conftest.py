"""An SES that does as it is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from studypack.core import aws
from studypack.core.config import get_settings
from studypack.integrations.email.ses import forget_ses
from tests.support import ses_standin
from tests.support.ses_standin import SesStandIn


@pytest.fixture(scope="session")
def ses_server() -> Iterator[SesStandIn]:
    """One for all tests."""
    with ses_standin.running() as standin:
        yield standin


@pytest.fixture
def ses(
    ses_server: SesStandIn, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SesStandIn]:
    """The provider that the application sends with; as good as new."""
    ses_server.forget()
    monkeypatch.setenv("AWS_ENDPOINT_URL", ses_server.url)
    get_settings.cache_clear()
    forget_ses()
    aws.client.cache_clear()
    yield ses_server
    get_settings.cache_clear()
    forget_ses()
    aws.client.cache_clear()
