"""The connection string of Application Insights, as far as sending needs it."""

from __future__ import annotations

import re

KEY = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
DEFAULT_ENDPOINT = "https://dc.services.visualstudio.com"


def parse(text: str) -> tuple[str, str]:
    """Its key in small letters, and the address to send to.

    Azure allows a `;` at the end, parts that sending does not need, and a key in capitals. Raises ValueError,
    which says what is wrong and quotes none of it.
    """
    given: dict[str, str] = {}
    for part in filter(str.strip, text.split(";")):
        name, equals, value = part.partition("=")
        if not equals:
            raise ValueError("a part of it is no NAME=value")
        given[name.strip().lower()] = value.strip()
    key = given.get("instrumentationkey", "").lower()
    if not KEY.fullmatch(key):
        raise ValueError("it has no InstrumentationKey, or one that is no GUID")
    endpoint = given.get("ingestionendpoint", DEFAULT_ENDPOINT).rstrip("/")
    scheme, separator, host = endpoint.partition("://")
    if scheme.lower() not in ("https", "http") or not separator or not host or "=" in endpoint:
        raise ValueError("its IngestionEndpoint is no https address")
    return key, f"{scheme.lower()}://{host}"
