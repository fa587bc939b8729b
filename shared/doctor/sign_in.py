"""Whether people can sign in, where they shall."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from shared.doctor.finding import Check, Finding
from shared.sign_in import platform_signs_in

if TYPE_CHECKING:
    from shared.runtime import Runtime

NAME = "sign_in"
SETTINGS = ("SIGN_IN",)
ADVICE = (
    "Deploy with signIn 'entra' (on Container Apps set SIGN_IN_PROXY too, once authentication is on), or set"
    " SIGN_IN=keys; infra/README.md, section Signing in"
)


def signing_in(runtime: Runtime) -> Iterator[Finding]:
    """Nothing where SIGN_IN is keys: then there is nothing to look at."""
    if runtime.settings.sign_in != "entra":
        return
    if platform_signs_in(runtime.environment):
        seen = "Azure's authentication stands in front of this app"
        yield Finding(NAME, "ok", seen, settings=SETTINGS)
        return
    seen = "SIGN_IN is entra, but nothing says that Azure's authentication stands in front of this app"
    yield Finding(NAME, "failed", seen, ADVICE, settings=SETTINGS)


CHECK = Check(NAME, signing_in, settings=SETTINGS)
