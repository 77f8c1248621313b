from __future__ import annotations

from collections.abc import Iterator

import pytest

from local import oauth, server
from local.oauth import standin as standin_module


@pytest.fixture(scope="session")
def _serving_standin() -> Iterator[oauth.StandIn]:
    listener = server.listen(0, preferred=0)
    with listener:
        standin = oauth.StandIn(f"http://127.0.0.1:{listener.getsockname()[1]}")
        with server.serving(oauth.application(standin), listener):  # type: ignore[arg-type]
            yield standin


@pytest.fixture
def provider(
    _serving_standin: oauth.StandIn, monkeypatch: pytest.MonkeyPatch
) -> Iterator[oauth.StandIn]:
    """The stand-in for both providers over real HTTP, known to the application, without a fault."""
    from studypack.core.config import get_settings
    from studypack.integrations.oauth.id_tokens import forget_keys

    standin = _serving_standin
    for name in ("google", "github"):
        prefix = f"OAUTH_{name.upper()}"
        monkeypatch.setenv(f"{prefix}_CLIENT_ID", standin_module.CLIENT_ID)
        monkeypatch.setenv(f"{prefix}_CLIENT_SECRET", standin_module.CLIENT_SECRET)
        monkeypatch.setenv(f"{prefix}_BASE_URL", f"{standin.base_url}/{name}")
    monkeypatch.setenv("API_BASE_URL", "https://api.example.com")
    get_settings.cache_clear()
    standin.fault = None
    standin.released.clear()
    forget_keys()
    yield standin
    standin.released.set()
    standin.fault = None
    standin.people = {each.key: each for each in oauth.PEOPLE}
    forget_keys()
    monkeypatch.undo()
    get_settings.cache_clear()
