"""A template and its facts made into a mail's subject, html and text.

`templates/<name>/` holds `subject.txt`, `body.html`, `body.txt` and `preview.json` (facts to look
at it with); files that begin with `_` are shared. Html escapes whatever it is given; a name that a
template uses and nobody gave, or a None that it would print, is an error and no mail. Jinja is
imported at the first mail.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from studypack.core.business_settings import BusinessSettings
from studypack.core.config import get_settings
from studypack.emails import wording
from studypack.emails.pages import page_url
from studypack.emails.palette import DARK, LIGHT

if TYPE_CHECKING:
    from jinja2 import Environment
    from jinja2.runtime import Context

TEMPLATES: Final = Path(__file__).parent / "templates"
BRAND: Final = "StudyPack"
_MAY_BE_NONE: Final = frozenset({"first_name", "seller_email", "unsubscribe_url"})
"""Of `context`; templates ask first. Any other fact that is None counts as not given."""
_FILLER: Final = "&#847;&#8199;" * 60
"""Behind the words that an inbox shows of a mail: without it, it goes on with the body's."""
PROVIDERS: Final = {"GOOGLE": "Google", "GITHUB": "GitHub"}


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail's words. The subject is one line without control characters."""

    subject: str
    html: str
    text: str


def context(
    *,
    email: str,
    first_name: str | None,
    timezone: str,
    occurred_at: datetime,
    business: BusinessSettings,
    unsubscribe_url: str | None = None,
    web_base_url: str | None = None,
) -> dict[str, Any]:
    """What every template gets of its reader and its sender.

    `email`: where the mail goes. `occurred_at`: when what it tells happened (the queue row's
    `created_at`), aware. `unsubscribe_url`: None where there is nothing to unsubscribe from.
    `first_name`: None for a reader who is not the row's user. `web_base_url`: where the web client
    is, by default as the settings say.
    """
    return {
        "email": email,
        "first_name": first_name,
        "timezone": timezone,
        "occurred_at": occurred_at,
        "unsubscribe_url": unsubscribe_url,
        "web_base_url": web_base_url or get_settings().web_base_url,
        "seller_name": business.seller_name,
        "seller_address": business.seller_address,
        "seller_email": business.seller_email,
        "verification_hours": business.verification_hours,
        "password_reset_minutes": business.password_reset_minutes,
    }


def render(template: str, data: Mapping[str, Any]) -> Rendered:
    """Make one mail of a template (EmailTemplate) and its facts: the queue row's `data` together
    with `context(...)`.

    Raises jinja2.UndefinedError naming a fact that is missing, UnsafeLink, and whatever a fact of
    the wrong kind leads to: the same facts fail again.
    """
    folder = template.lower()
    given = {name: fact for name, fact in data.items() if fact is not None or name in _MAY_BE_NONE}
    facts = wording.cleaned(given)
    text = _environment("text")
    subject = " ".join(text.get_template(f"{folder}/subject.txt").render(facts).split())
    html = _environment("html").get_template(f"{folder}/body.html")
    return Rendered(
        subject=subject,
        html=html.render(facts, title=subject),
        text=wording.wrapped(text.get_template(f"{folder}/body.txt").render(facts)),
    )


@lru_cache(maxsize=2)
def _environment(kind: str) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
    from markupsafe import Markup

    is_html = kind == "html"
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=is_html,  # noqa: S701 (text is text: escaped for html it would be spoilt)
        undefined=StrictUndefined,
        finalize=_printable,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals = {
        **environment.globals,
        "brand": BRAND,
        "light": LIGHT,
        "dark": DARK,
        "page": pass_context(_page),
    }
    filters = {
        "aligned": wording.aligned,
        "counted": wording.counted,
        "day": _in_zone(wording.day),
        "hours": wording.hours,
        "markdown": _markdown(is_html=is_html),
        "moment": _in_zone(wording.moment),
        "person": wording.person,
        "provider": PROVIDERS.__getitem__,
        "short": wording.short,
        "url": wording.safe_url,
        "weekday": _in_zone(wording.weekday),
    }
    if is_html:
        styles = environment.get_template("_styles.css").render()
        environment.globals |= {"styles": Markup(styles), "filler": Markup(_FILLER)}  # noqa: S704
    environment.filters |= {name: _strict(written) for name, written in filters.items()}
    return environment


def _printable(value: Any) -> Any:
    if value is None:
        raise TypeError("a template prints a fact that is None")
    return value


def _page(context: Context, name: str, *parts: str) -> str:
    return wording.safe_url(page_url(context["web_base_url"], name, *parts))


def _in_zone(write: Callable[[Any, str], str]) -> Callable[..., str]:
    from jinja2 import pass_context

    return pass_context(lambda context, value: write(value, context["timezone"]))


def _strict(written: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that says which fact is missing, not what a filter makes of nothing."""
    from jinja2 import StrictUndefined

    @wraps(written)
    def checked(*arguments: Any) -> Any:
        for argument in arguments:
            if isinstance(argument, StrictUndefined):
                str(argument)
        return written(*arguments)

    return checked


def _markdown(*, is_html: bool) -> Any:
    from markupsafe import Markup

    from studypack.emails import markdown

    if is_html:
        return lambda body: Markup(markdown.to_html(body))  # noqa: S704 (escaped by markdown-it)
    return markdown.to_text
