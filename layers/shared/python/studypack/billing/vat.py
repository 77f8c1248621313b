"""VAT identification numbers of the European Union (pure; python-stdnum knows their check digits).

Sources: council directive 2006/112/EC, articles 214 and 215 (prefixes), 196 (reverse charge for
services to a business in another member state).
"""

from __future__ import annotations

from typing import Final

_COUNTRY_OF_PREFIX: Final = {"EL": "GR"}
"""Greece writes EL; every other member state its ISO code."""

EU_COUNTRIES: Final = frozenset(
    {"AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU"}
    | {"IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK"}
)


def country_of(vat_id: str) -> str | None:
    """The member state (ISO 3166-1 alpha-2) that gave this number; None outside of the Union."""
    prefix = vat_id[:2].upper()
    country = _COUNTRY_OF_PREFIX.get(prefix, prefix)
    return country if country in EU_COUNTRIES else None


def is_reverse_charge(*, seller_vat_id: str | None, buyer_vat_id: str | None, tax: int) -> bool:
    """Whether the buyer owes the tax: both have numbers, of different member states, and none was
    charged.
    """
    if tax or not seller_vat_id or not buyer_vat_id:
        return False
    seller, buyer = country_of(seller_vat_id), country_of(buyer_vat_id)
    return seller is not None and buyer is not None and seller != buyer


def checked_vat_id(vat_id: str) -> str | None:
    """The number in its compact form with the country's prefix, or None if it cannot be one: a
    wrong form, wrong check digits, or no member state's.
    """
    from stdnum.eu import vat
    from stdnum.exceptions import ValidationError

    try:
        compact: str = vat.validate(vat_id)
    except ValidationError:
        return None
    if country_of(compact) is None:
        return None
    return compact.replace("GR", "EL", 1) if compact.startswith("GR") else compact
