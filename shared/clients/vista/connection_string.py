"""ODBC connection strings: the driver, the server, and parts that the driver would silently ignore."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from shared.clients.vista.errors import CONNECTION_SETTING, StatementRefused, missing_driver

PART = re.compile(r"\s*(?P<keyword>[^=;]+)(?P<value>=\s*(?:\{(?:[^}]|\}\})*\}|[^;]*))?[^;]*")
SQL_SERVER_DRIVER = re.compile(r"ODBC Driver (\d+) for SQL Server\Z")
TCP_ADDRESS = re.compile(
    r"(?:tcp:)?(?P<host>[^\\,:\s]+|\[?[0-9a-f:.]+(?:%[^\\,:\s\]]+)?\]?)\s*"
    r"(?P<instance>\\[^,]*)?(?:,\s*(?P<port>\d+))?\Z",
    re.IGNORECASE,
)
OF_WINDOWS = re.compile(r"(?:np|lpc|admin):|\\\\", re.IGNORECASE)
"""Other ways to a server than TCP, which the driver has there only."""

DEFAULT_PORT, LARGEST_PORT = 1433, 65535
THIS_MACHINE = frozenset({".", "(local)"})

SERVER_KEYWORDS = frozenset({"server", "address", "addr"})
DRIVER_KEYWORDS = frozenset({"driver", "dsn", "filedsn"})
OTHER_KEYWORDS = """
    ansinpw app applicationintent attachdbfilename authentication autotranslate clientcertificate clientkey
    columnencryption concatnullyieldsnull connectretrycount connectretryinterval connecttimeout database desc
    description encrypt failover_partner failoverpartnerspn getdataextensions hostnameincertificate
    ipaddresspreference keepalive keepaliveinterval keystoreauthentication keystorelocation
    keystoreprincipalid keystoresecret language longasmax mars_connection multisubnetfailover net network
    packetsize pwd querylog_on querylogfile querylogtime quotedid regional replication retryexec savefile
    servercertificate serverspn statslog_on statslogfile transparentnetworkipresolution trusted_connection
    trustservercertificate uid usefmtonly vectortypesupport wsid
"""
KEYWORDS = SERVER_KEYWORDS | DRIVER_KEYWORDS | frozenset(OTHER_KEYWORDS.split())
"""What ODBC Driver 18 knows: the names in its library, and `ConnectTimeout` of 18.7 (Microsoft's page on
connection string keywords)."""


def with_driver(connection_string: str, installed: Iterable[str]) -> str:
    """The connection string, with the newest installed SQL Server driver when it names none."""
    if any(keyword in DRIVER_KEYWORDS for keyword, _ in _parts(connection_string)):
        return connection_string
    versions = [int(found[1]) for name in installed if (found := SQL_SERVER_DRIVER.match(name))]
    if not versions:
        raise missing_driver("no ODBC driver for SQL Server is installed")
    return f"DRIVER={{ODBC Driver {max(versions)} for SQL Server}};{connection_string}"


def ignored_parts(connection_string: str) -> str:
    """Which parts Microsoft's driver does not know and therefore ignores, as the end of a message; empty when
    there is none.

    They are told by number, for where a password holds an unbraced `;` such a part is a piece of it.
    """
    parts = _parts(connection_string)
    unknown = [str(number) for number, (keyword, _) in enumerate(parts, 1) if keyword not in KEYWORDS]
    if not unknown or not _is_for_sql_server(parts):
        return ""
    which = f"part {unknown[0]} is" if len(unknown) == 1 else f"parts {', '.join(unknown)} are"
    return (
        f"; {which} ignored, being no KEYWORD=value that ODBC has for SQL Server (it has SERVER, DATABASE, "
        "UID, PWD; a value with ; or { or } in it stands in braces, } doubled)"
    )


def check_server(connection_string: str) -> None:
    """Raises StatementRefused for a SERVER that can be none: Microsoft's driver would look for it for as long
    as a login may take, and call that a server which does not answer."""
    parts = _parts(connection_string)
    servers = [value for keyword, value in parts if keyword in SERVER_KEYWORDS]
    if not servers or not _is_for_sql_server(parts):
        return
    if os.name == "nt" and OF_WINDOWS.match(servers[0]):
        return
    address = TCP_ADDRESS.match(servers[0].rstrip(" ,"))
    if address is None or not 1 <= int(address["port"] or DEFAULT_PORT) <= LARGEST_PORT:
        text = f"SERVER in {CONNECTION_SETTING} is no host, host,port (1 to {LARGEST_PORT}) or host\\instance"
        raise StatementRefused(text) from None


def server_host(connection_string: str) -> str | None:
    """The host of SERVER; None where none is named, or where it is reached by other means than TCP."""
    address = _server(connection_string)
    return _host(address) if address else None


def server_address(connection_string: str) -> tuple[str, int] | None:
    """Host and TCP port of SERVER; None where there is no host, or where the driver asks the server for the
    port (a named instance)."""
    address = _server(connection_string)
    if address is None or (address["instance"] and not address["port"]):
        return None
    return _host(address), int(address["port"] or DEFAULT_PORT)


def _server(connection_string: str) -> re.Match[str] | None:
    servers = [value for keyword, value in _parts(connection_string) if keyword in SERVER_KEYWORDS]
    return TCP_ADDRESS.match(servers[0]) if servers else None


def _host(address: re.Match[str]) -> str:
    return "localhost" if address["host"].lower() in THIS_MACHINE else address["host"].strip("[]")


def _parts(connection_string: str) -> list[tuple[str, str]]:
    """Keyword in lower case (empty for a part without `=`) and value without its braces."""
    parts = []
    for found in PART.finditer(connection_string):
        keyword, value = found["keyword"].strip().lower(), found["value"]
        if value is not None:
            parts.append((keyword, _unbraced(value[1:].strip())))
        elif keyword:
            parts.append(("", ""))
    return parts


def _unbraced(value: str) -> str:
    if value.startswith("{") and value.endswith("}"):
        return value[1:-1].replace("}}", "}")
    return value


def _is_for_sql_server(parts: list[tuple[str, str]]) -> bool:
    drivers = [value.lower() for keyword, value in parts if keyword in DRIVER_KEYWORDS]
    return not drivers or "sql server" in drivers[0] or "msodbcsql" in drivers[0]
