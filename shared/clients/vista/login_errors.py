"""What a refused or failed login to SQL Server means, and what to do about it."""

from __future__ import annotations

import re
from typing import NamedTuple

from shared.clients.vista.errors import (
    CONNECTION_SETTING,
    NO_DRIVER,
    DriverError,
    StatementRefused,
    failed,
    numbered_error,
)
from shared.errors import Advised, DatabaseError, framed

LOGIN_TIMEOUT_SECONDS = 15
OPENING_TIMEOUT_SECONDS = 20
"""For the whole opening. The driver's own limit does not hold for a server that falls silent during the TLS
handshake or right after the login (both seen with 18.6), where it would wait for ever."""

ATTRIBUTE = re.compile(r"attribute '([A-Za-z_]{1,40})'")

CHECK_SERVER = f"check SERVER in {CONNECTION_SETTING} (host and port, 1433 as a rule)"
LOGIN_TIMED_OUT = f"no login within {LOGIN_TIMEOUT_SECONDS} s"
NO_SQL_SERVER = Advised("what answers is no SQL Server", CHECK_SERVER)
LOGIN_BROKE = Advised("the server cannot be reached or ended the connection during the login", CHECK_SERVER)
CHECK_LOGIN = f"check the login and password in {CONNECTION_SETTING}"
NOT_LET_IN = (
    "Azure SQL's firewall does not let this machine in: add its address or network to the server's rules, or "
    f"name the private endpoint as SERVER in {CONNECTION_SETTING}"
)
WITHOUT_DRIVER = Advised("its driver is not installed here", NO_DRIVER)
LOGIN_FAILED = Advised("the login failed", f"check {CONNECTION_SETTING}")


class Meaning(NamedTuple):
    """What an error means whose SQLSTATE is `state` and whose text holds `text`.

    `answered`: the database is well, a setting is not.
    """

    state: str
    text: str
    advice: str
    answered: bool


MEANINGS = (
    Meaning(
        "08001",
        "name does not match",
        f"the server's certificate is for another name than SERVER in {CONNECTION_SETTING}: use that name "
        "there, or add HostNameInCertificate=NAME",
        True,
    ),
    Meaning(
        "08001",
        "certificate verify failed",
        Advised(
            "the server's certificate is not trusted here",
            "give the server one of a known authority, or install its authority's on this host; "
            f"TrustServerCertificate=yes in {CONNECTION_SETTING} encrypts without knowing to whom",
        ),
        True,
    ),
    Meaning(
        "08001",
        "Encryption not supported",
        Advised(
            "the server cannot encrypt",
            f"give it a certificate, or set Encrypt=no in {CONNECTION_SETTING} where the network is trusted",
        ),
        True,
    ),
    Meaning(
        "08001",
        "SSL Provider",
        f"no encrypted connection came about: see which TLS versions the server offers, and Encrypt in "
        f"{CONNECTION_SETTING}",
        False,
    ),
    Meaning("08001", "Neither DSN nor SERVER", f"{CONNECTION_SETTING} names no SERVER", True),
    Meaning("08001", "", LOGIN_BROKE, False),
    Meaning("08S01", "", LOGIN_BROKE, False),
    Meaning(
        "08004", "", Advised("the server takes no more connections, or refused this one", CHECK_SERVER), False
    ),
    Meaning("28000", "", Advised("login refused", CHECK_LOGIN), True),
    Meaning(
        "42000",
        "(4064)",
        f"the login may not open its database: name another as DATABASE in {CONNECTION_SETTING}",
        True,
    ),
    Meaning(
        "42000",
        "(4060)",
        Advised("the login may not open the database", f"check DATABASE in {CONNECTION_SETTING}"),
        True,
    ),
    Meaning("42000", "(18470)", Advised("the login is disabled", CHECK_LOGIN), True),
    Meaning("42000", "(18486)", f"the login is locked out: have it unlocked, then {CHECK_LOGIN}", True),
    Meaning(
        "42000", "(18483)", Advised("the server takes the login for another server's", CHECK_LOGIN), True
    ),
    Meaning(
        "42000", "(17892)", Advised("a logon trigger of the server refuses the login", CHECK_LOGIN), True
    ),
    Meaning(
        "42000",
        "(40532)",
        Advised(
            "Azure SQL has no such server for the login",
            f"check SERVER and UID in {CONNECTION_SETTING} (USER, or USER@SERVER)",
        ),
        True,
    ),
    *(Meaning("42000", number, NOT_LET_IN, True) for number in ("(40615)", "(40914)", "(47073)")),
    Meaning("HYT00", "", LOGIN_TIMED_OUT, False),
    Meaning("HY000", "", NO_SQL_SERVER, False),
    *(Meaning(state, "", WITHOUT_DRIVER, True) for state in ("IM002", "01000")),
)


def login_error(error: Exception, unreachable: str = "", ignored: str = "") -> DatabaseError:
    """The error for what pyodbc raised while a connection was opened.

    `unreachable` says why, where the driver's time was over; `ignored` names parts of the setting that the
    driver ignores, and begins with a `;`.
    """
    found = DriverError.of(error)
    attribute = ATTRIBUTE.search(found.text)
    if found.state == "08001" and attribute:
        text = f"the value of {attribute[1]} in {CONNECTION_SETTING} is none that the driver knows"
        return StatementRefused(f"{text}{ignored}", where=found.where)
    known = numbered_error(found)
    if known is not None:
        return known
    for meaning in MEANINGS:
        if meaning.state == found.state and meaning.text in found.text:
            advice = meaning.advice
            if advice == LOGIN_TIMED_OUT:
                advice = _timed_out(unreachable)
            told, where = framed(advice, after=ignored), found.where
            return StatementRefused(told, where=where) if meaning.answered else failed(told, where)
    return failed(framed(LOGIN_FAILED, after=ignored), found.where)


def _timed_out(unreachable: str) -> str:
    if not unreachable:
        return Advised(LOGIN_TIMED_OUT, CHECK_SERVER)
    return Advised(f"{LOGIN_TIMED_OUT}: {unreachable}", CHECK_SERVER, "; ")


def unknown_host() -> StatementRefused:
    """For a server whose name no name server knows."""
    return StatementRefused(Advised("the name of its host is not known here", CHECK_SERVER))


def silent_server(seconds: float) -> DatabaseError:
    """For a server that took the connection and did not complete the login within that time."""
    silent = "the server took the connection and fell silent before the login was through"
    return failed(
        Advised(f"{silent} (waited {seconds:g} s): it is overloaded or half stopped", CHECK_SERVER, "; ")
    )


def timed_out(error: Exception) -> bool:
    """Whether the driver gave up waiting, for whatever reason."""
    return DriverError.of(error).state == "HYT00"
