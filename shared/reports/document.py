"""An HTML document that needs nothing else: no script, no other file, no network."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

from shared.reports.elements import Child, Html, joined, tag

STYLE = Path(__file__).parent / "style.css"


def html_document(title: str, *content: Child) -> bytes:
    """The document with this content, UTF-8, and what it may do written into it."""
    head = tag(
        "head",
        Html('<meta charset="utf-8">'),
        Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Html('<meta name="robots" content="noindex">'),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{_in_document()}">'),
        tag("title", title),
        Html(f"<style>{_style()}</style>"),
    )
    body = tag("body", tag("main", *content))
    return joined(Html("<!doctype html>\n"), tag("html", head, body, lang="en"), "\n").encode(
        "utf-8", "replace"
    )


def document_policy() -> str:
    """The Content-Security-Policy of the document as the app serves it: its style, and nothing else."""
    return f"{_in_document()}; frame-ancestors 'none'"


@cache
def _in_document() -> str:
    # Of what a policy may say, `frame-ancestors` counts in a header only.
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@cache
def _style() -> str:
    return STYLE.read_text("utf-8")
