"""What is posted, and how it is signed."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from shared.config import webhook_key
from shared.notices.conditions import Condition
from shared.notices.notice import Notice, begun, over
from shared.notices.payload import dashboard_url, payload
from shared.notices.sender import webhook_headers

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
RUN = "20260105-110000-abcdef"
URL = f"https://app.test/dashboard#run/{RUN}"
HOSTILE = "[click](https://evil.test) **now** <at>everyone</at>"
FAILED = begun(Condition("run-failed", f"Run {RUN} failed", (HOSTILE,), run_id=RUN), NOW)
OVER = over(FAILED, NOW + timedelta(hours=1))

TEAMS_LARGEST_BYTES = 28_000
"""learn.microsoft.com, "Limits and specifications for Microsoft Teams": 28 KB for a message of a webhook."""


def closed(kind: str, required: list[str], **more: Any) -> dict[str, Any]:
    properties = {"type": {"const": kind}, **more}
    return {
        "type": "object",
        "properties": properties,
        "required": ["type", *required],
        "additionalProperties": False,
    }


TEXT = {"type": "string", "minLength": 1}
CARD_ELEMENT = {
    "anyOf": [
        closed(
            "TextBlock",
            ["text"],
            text=TEXT,
            wrap={"type": "boolean"},
            size={"enum": ["Default", "Small", "Medium", "Large", "ExtraLarge"]},
            weight={"enum": ["Default", "Lighter", "Bolder"]},
            color={"enum": ["Default", "Dark", "Light", "Accent", "Good", "Warning", "Attention"]},
        ),
        closed(
            "RichTextBlock",
            ["inlines"],
            inlines={"type": "array", "minItems": 1, "items": closed("TextRun", ["text"], text=TEXT)},
        ),
        closed(
            "FactSet",
            ["facts"],
            facts={
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"title": TEXT, "value": TEXT},
                    "required": ["title", "value"],
                    "additionalProperties": False,
                },
            },
        ),
    ]
}
TEAMS_MESSAGE = closed(
    "message",
    ["attachments"],
    attachments={
        "type": "array",
        "minItems": 1,
        "maxItems": 1,
        "items": {
            "type": "object",
            "required": ["contentType", "content"],
            "additionalProperties": False,
            "properties": {
                "contentType": {"const": "application/vnd.microsoft.card.adaptive"},
                "contentUrl": {"type": "null"},
                "content": closed(
                    "AdaptiveCard",
                    ["$schema", "version", "body"],
                    **{"$schema": {"const": "http://adaptivecards.io/schemas/adaptive-card.json"}},
                    version={"const": "1.4"},
                    body={"type": "array", "minItems": 1, "items": CARD_ELEMENT},
                    actions={
                        "type": "array",
                        "items": closed("Action.OpenUrl", ["title", "url"], title=TEXT, url=TEXT),
                    },
                ),
            },
        },
    },
)
"""As far as we use it: adaptivecards.io, schema explorer, version 1.4; the message as Workflows takes it."""


def posted(notice: Notice, form: str, url: str | None = URL) -> Any:
    return json.loads(payload(notice, form, "production", url))


@pytest.mark.parametrize("notice", [FAILED, OVER])
@pytest.mark.parametrize("url", [URL, None])
def test_teams_gets_a_card(notice: Notice, url: str | None) -> None:
    message = posted(notice, "teams", url)
    assert [error.message for error in Draft202012Validator(TEAMS_MESSAGE).iter_errors(message)] == []
    card = message["attachments"][0]["content"]
    assert card["body"][0]["text"] == notice.title
    assert card["body"][0]["color"] == ("Good" if notice is OVER else "Attention")
    assert {"title": "Runbook", "value": "docs/runbook.md#run-failed"} in card["body"][-1]["facts"]
    assert ("actions" in card) == (url is not None)


def test_a_reason_is_no_markdown_in_a_card() -> None:
    card = posted(FAILED, "teams")["attachments"][0]["content"]
    found = [element["type"] for element in card["body"] if HOSTILE in json.dumps(element)]
    assert found == ["RichTextBlock"]


def test_a_card_of_the_longest_reasons_is_one_that_teams_takes() -> None:
    lines = tuple("\U0001f9f0" * 300 for _ in range(6))
    assert (
        len(payload(begun(Condition("run-failed", "x", lines), NOW), "teams", "e", URL)) < TEAMS_LARGEST_BYTES
    )


def test_generic_json_has_type_timestamp_and_data() -> None:
    assert posted(OVER, "json")["type"] == "notice.over"
    message = posted(FAILED, "json")
    assert (message["type"], message["timestamp"]) == ("notice.begun", NOW.isoformat())
    assert message["data"].pop("version")
    assert message["data"] == {
        "notice": "run-failed",
        "subject": None,
        "state": "begun",
        "since": NOW.isoformat(),
        "title": f"Run {RUN} failed",
        "lines": [HOSTILE],
        "run_id": RUN,
        "url": URL,
        "runbook": "docs/runbook.md#run-failed",
        "environment": "production",
    }


@pytest.mark.parametrize(
    ("host", "run_id", "url"),
    [
        ("app.azurewebsites.net", RUN, f"https://app.azurewebsites.net/dashboard#run/{RUN}"),
        ("app.azurewebsites.net", None, "https://app.azurewebsites.net/dashboard"),
        ("localhost:7071", None, "http://localhost:7071/dashboard"),
        (None, RUN, None),
        ("", RUN, None),
        ("evil.test/x?", RUN, None),
    ],
)
def test_the_link_leads_to_the_run_where_the_app_knows_its_host(
    host: str | None, run_id: str | None, url: str | None
) -> None:
    assert dashboard_url(host, run_id) == url


def hmac_by_hand(key: bytes, message: bytes) -> bytes:
    """RFC 2104, written out: H((K ^ opad) || H((K ^ ipad) || text))."""
    padded = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded) + message).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in padded) + inner).digest()


def test_the_signature_is_the_standards() -> None:
    secret = "whsec_" + base64.b64encode(struct.pack(">8I", *range(8))).decode()
    body = payload(FAILED, "json", "production", None)
    headers = webhook_headers("msg-1", NOW + timedelta(milliseconds=900), body, webhook_key(secret))
    assert headers["webhook-id"] == "msg-1"
    assert headers["webhook-timestamp"] == "1767614400"
    wanted = hmac_by_hand(base64.b64decode(secret[6:]), b"msg-1.1767614400." + body)
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(wanted).decode()}"


def test_the_signature_is_that_of_the_standards_own_example() -> None:
    """The test vector that the reference libraries share."""
    key = webhook_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    at = datetime.fromtimestamp(1614265330, UTC)
    headers = webhook_headers("msg_p5jXN8AQM9LWM0D4loKWxJek", at, b'{"test": 2432232314}', key)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_without_a_secret_there_is_no_signature() -> None:
    assert "webhook-signature" not in webhook_headers("msg-1", NOW, b"{}", None)
