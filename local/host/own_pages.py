"""Whether a request to the local host comes from this machine's user, or from a page of some other site that
a browser on this machine has open. Such a page can send requests here without asking anybody; only reading
the answers is denied to it, and not even that once its own name leads to 127.0.0.1 (DNS rebinding).

Sources: Fetch metadata (w3c.github.io/webappsec-fetch-metadata), the fetch standard's `Origin` header.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address

HOST = re.compile(r"(\[[^\[\]]+\]|[^:\[\]@/\s,]+)(?::\d{1,5})?")
ORIGIN = re.compile(r"https?://([^/]+)")
OWN_SITES = ("same-origin", "none")
"""`none`: the user typed the address, or opened a bookmark. `same-site` is left out: sites know no ports, so
that it names the page of any other program of this machine."""
READING = ("GET", "HEAD", "OPTIONS")


def is_loopback(name: str) -> bool:
    """Whether a host's name, without its port, can lead to this machine alone: 127.0.0.0/8, ::1, localhost.
    Names below localhost, and `localhost.`, are left to resolvers by some systems, so that they cannot."""
    try:
        return ip_address(name.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return name.lower() == "localhost"


def is_for_this_machine(environ: Mapping[str, str]) -> bool:
    """Whether the request names this machine; the port is free, since a tunnel may have another one."""
    host = HOST.fullmatch(environ.get("HTTP_HOST", ""))
    return host is not None and is_loopback(host[1])


def is_from_own_page(environ: Mapping[str, str]) -> bool:
    """Whether no page of another origin sent it, as far as browsers say. Programs say nothing."""
    origin = environ.get("HTTP_ORIGIN")
    if origin is not None:
        found = ORIGIN.fullmatch(origin)
        if found is None or found[1].lower() != environ.get("HTTP_HOST", "").lower():
            return False
    return is_from_own_site(environ)


def is_from_own_site(environ: Mapping[str, str]) -> bool:
    """Whether the browser does not name another site; right behind a proxy too, which changes the Host."""
    return environ.get("HTTP_SEC_FETCH_SITE", OWN_SITES[0]).lower() in OWN_SITES
