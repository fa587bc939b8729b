"""A notice as the bytes that are posted: generic JSON, or a card for Microsoft Teams."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from shared.notices.notice import Notice
from shared.version import FULL_VERSION

RUNBOOK = "docs/runbook.md"
HOST = re.compile(r"[A-Za-z0-9.-]+(:\d+)?")


def dashboard_url(host: str | None, run_id: str | None) -> str | None:
    """Where an operator looks. `host` is WEBSITE_HOSTNAME, which Azure gives each app; None without it."""
    if not host or not HOST.fullmatch(host):
        return None
    scheme = "http" if host.split(":")[0] in ("localhost", "127.0.0.1") else "https"
    return f"{scheme}://{host}/dashboard" + (f"#run/{run_id}" if run_id else "")


def payload(notice: Notice, form: str, environment: str, url: str | None) -> bytes:
    """The body, the same at every attempt. `form` is NOTICE_WEBHOOK_FORMAT."""
    made = _teams(notice, environment, url) if form == "teams" else _generic(notice, environment, url)
    return json.dumps(made, ensure_ascii=True, separators=(",", ":")).encode()


def _generic(notice: Notice, environment: str, url: str | None) -> dict[str, Any]:
    """`type`, `timestamp` and `data`, as Standard Webhooks recommends."""
    return {
        "type": f"notice.{notice.state}",
        "timestamp": notice.at,
        "data": {
            "notice": notice.name,
            "subject": notice.subject,
            "state": notice.state,
            "since": notice.since,
            "title": notice.title,
            "lines": list(notice.lines),
            "run_id": notice.run_id,
            "url": url,
            "runbook": _runbook(notice),
            "environment": environment,
            "version": FULL_VERSION,
        },
    }


def _teams(notice: Notice, environment: str, url: str | None) -> dict[str, Any]:
    """A message with one Adaptive Card, as the Workflows trigger "When a Teams webhook request is received"
    takes it: learn.microsoft.com, "Create incoming webhooks with Workflows for Microsoft Teams"."""
    colour = "Good" if notice.state == "over" else "Attention"
    facts = {"Noticed": f"{datetime.fromisoformat(notice.at):%Y-%m-%d %H:%M} UTC", "Run": notice.run_id}
    facts |= {"Environment": environment, "Runbook": _runbook(notice)}
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            {
                "type": "TextBlock",
                "text": notice.title,
                "size": "Large",
                "weight": "Bolder",
                "color": colour,
                "wrap": True,
            },
            # A TextBlock would read reasons as Markdown, links included; a TextRun shows them as they are.
            *(
                {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": line}]}
                for line in notice.lines
            ),
            {
                "type": "FactSet",
                "facts": [{"title": name, "value": text} for name, text in facts.items() if text],
            },
        ],
    }
    if url:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Open the dashboard", "url": url}]
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "contentUrl": None, "content": card}]}


def _runbook(notice: Notice) -> str:
    return f"{RUNBOOK}#{notice.name}"
