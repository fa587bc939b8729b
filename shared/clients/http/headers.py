"""Request headers that carry a credential, checked before they can end up in somebody's error text."""

from __future__ import annotations

from shared.errors import Advised, ConfigurationError, SettingProblem


def checked_header_value(setting: str, value: str) -> str:
    """The value itself when it can stand in a header.

    Raises ConfigurationError otherwise: the HTTP library would refuse it too, but quote it in full.
    """
    if value and value.isascii() and value.isprintable() and " " not in value:
        return value
    problem = "is empty, or has blanks, line ends or other characters that a header cannot carry"
    raise ConfigurationError([SettingProblem(setting, Advised(problem, "copy the value again", "; "))])


def bearer_headers(setting: str, token: str) -> dict[str, str]:
    """Headers of a JSON API with a bearer token; `setting` is the name of the token's setting."""
    return {
        "Authorization": f"Bearer {checked_header_value(setting, token)}",
        "Accept": "application/json",
    }


def user_agent(fqdn: str, version: str) -> str:
    """A User-Agent unique to the organisation, as SafetyAmp asks for (docs/contracts/safetyamp.md#calls)."""
    organisation = fqdn.split(".", 1)[0]
    return f"{organisation}-safetyamp-sync/{version} ({fqdn})"
