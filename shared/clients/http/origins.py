"""Where a URL leads, as the library that connects understands it."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

DEFAULT_PORTS = {"https": 443, "http": 80}

READ_DIFFERENTLY = re.compile(r"[\x00-\x1f\x7f\\]")
"""Control characters and backslashes, which one parser drops, another takes for a slash, a third for a part
of the user's name. No server writes them into a URL."""


class Origin(NamedTuple):
    """Scheme, host and port, in lower case, the port always given."""

    scheme: str
    host: str
    port: int


def origin_of(url: str) -> Origin | None:
    """The origin of a whole URL; None for anything else, and for a URL that holds a login.

    Both parsers that have a say on the way to the connection must agree on it: urllib3's, with which
    requests rewrites the URL, and Python's, with which it takes the host out of what it has rewritten.
    """
    if READ_DIFFERENTLY.search(url):
        return None
    prepared = requests.PreparedRequest()
    try:
        prepared.prepare_url(url, None)
        by_urllib3, by_python = parse_url(prepared.url or ""), urlsplit(prepared.url or "")
        ports = by_urllib3.port, by_python.port
    except (requests.RequestException, LocationParseError, ValueError):
        return None
    hosts = (by_urllib3.host or "").strip("[]").lower(), (by_python.hostname or "").lower()
    default = DEFAULT_PORTS.get(str(by_urllib3.scheme))
    if hosts[0] != hosts[1] or not hosts[0] or ports[0] != ports[1] or default is None:
        return None
    if by_urllib3.scheme != by_python.scheme or by_urllib3.auth or "@" in by_python.netloc:
        return None
    return Origin(by_python.scheme, hosts[0], default if ports[0] is None else ports[0])
