"""Joins the page's files into one document, and says what a browser may do with it."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

FOLDER = Path(__file__).parent

STYLES = ("tokens.css", "layout.css", "parts.css")
SCRIPTS = (
    *("dom.js", "format.js", "api.js", "state.js", "parts.js", "dialogs.js", "acts.js"),
    *("names.js", "overview.js", "now.js", "changes.js", "held.js", "failures.js", "fixes.js", "letters.js"),
    *(
        "chart.js",
        "runs.js",
        "trends.js",
        "decisions.js",
        "search.js",
        "record.js",
        "control.js",
        "systems.js",
        "calls.js",
    ),
    *("settings.js", "kept.js", "main.js"),
)
"""One module when joined, so that each may use what those before it define, and functions of all."""


@dataclass(frozen=True)
class Page:
    """The document, and its Content-Security-Policy."""

    body: bytes
    policy: str


@cache
def dashboard_page(sign_in: Literal["keys", "entra"] = "keys") -> Page:
    """The page, as people get in; the files are read once per process."""
    style = _joined(STYLES)
    script = _joined(SCRIPTS)
    document = (FOLDER / "page.html").read_text("utf-8")
    document = document.replace("<!--style-->", style).replace("<!--script-->", script)
    document = document.replace('data-sign-in="keys"', f'data-sign-in="{sign_in}"')
    return Page(document.encode(), _policy(style, script))


def _joined(names: tuple[str, ...]) -> str:
    return "\n".join((FOLDER / name).read_text("utf-8") for name in names)


def _policy(style: str, script: str) -> str:
    """Nothing but this script, this style, and requests to the app itself; no text may become HTML."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_hash(script)}'",
            f"style-src '{_hash(style)}'",
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
