"""The headers of a notice as Standard Webhooks (standardwebhooks.com) defines them."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime


def webhook_headers(notice_id: str, now: datetime, body: bytes, key: bytes | None) -> dict[str, str]:
    """Id, time of this attempt, and with a key the signature over both and the body. Receivers refuse old
    times and drop ids that they have had."""
    timestamp = str(int(now.timestamp()))
    headers = {"webhook-id": notice_id, "webhook-timestamp": timestamp}
    if key is not None:
        signed = f"{notice_id}.{timestamp}.".encode() + body
        digest = hmac.new(key, signed, hashlib.sha256).digest()
        headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    return headers
