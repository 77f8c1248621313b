"""A browser without scripts: it opens pages, fills in their forms and goes where it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urljoin

import httpx2

from local.demo import markup
from local.demo.client import TIMEOUT_SECONDS, Exchange, Unexpected


class Browser:
    """Opens one page after the other, of any server."""

    def __init__(self, agent: str = "StudyPack demo (browser)") -> None:
        self.address = ""
        self.page = ""
        self.last: Exchange | None = None
        self._http = httpx2.Client(
            timeout=TIMEOUT_SECONDS, headers={"User-Agent": agent, "Accept": "text/html"}
        )

    def close(self) -> None:
        """Give its connections back."""
        self._http.close()

    def open(self, address: str) -> str:
        """The page at an address; raises Unexpected when there is none."""
        return self._go("GET", address)

    def press(
        self, button: str, fields: Mapping[str, str] | None = None, *, status: int = 200
    ) -> str:
        """Fill in the form with this button's value and press it; the page that one lands on.

        Raises Unexpected when the page has no such form, or another status comes.
        """
        for form in markup.forms(self.page):
            chosen = next((each for each in form.buttons if each[1] == button), None)
            if chosen is not None and set(fields or {}) <= form.names:
                sent = {**form.fields, **dict([chosen]), **(fields or {})}
                return self._go("POST", urljoin(self.address, form.action), sent, status=status)
        raise Unexpected(f"the page has no form to {button}", self.last)

    def _go(
        self, method: str, address: str, sent: Mapping[str, str] | None = None, *, status: int = 200
    ) -> str:
        answer = self._http.request(method, address, data=sent, follow_redirects=True)
        self.address, self.page = str(answer.url), answer.text
        self.last = Exchange(method, address, sent, answer.status_code, markup.words(self.page))
        if answer.status_code != status:
            told = f"{status} was expected, {answer.status_code} came"
            raise Unexpected(told, self.last)
        return self.page
