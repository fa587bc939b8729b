"""Posting to the webhook, within a stated time, and without its address in any text: it is a secret."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime

import requests

from shared.clients.http.time_limit import TimeLimit
from shared.clients.http.transport import SessionFactory, new_session
from shared.errors import SafetyAmpError

CONNECT_SECONDS, READ_SECONDS = 3.0, 5.0

LIMIT = TimeLimit(seconds=10.0, most_late=2)
"""For one notice, looking up the host's name and a trickling answer included; of the process, so that a
receiver that never answers holds two threads and no more."""

LATER_STATUSES = (408, 425, 429)


class NotDelivered(SafetyAmpError):
    """The receiver did not take the notice. `refused`: it is there but does not want this one, so that the
    others may be tried nevertheless."""

    def __init__(self, message: str, *, refused: bool = False) -> None:
        super().__init__(message)
        self.refused = refused


def webhook_headers(notice_id: str, now: datetime, body: bytes, key: bytes | None) -> dict[str, str]:
    """As Standard Webhooks (standardwebhooks.com) defines them: id, time of this attempt, and with a key the
    signature over both and the body. Receivers refuse old times and drop ids that they have had."""
    timestamp = str(int(now.timestamp()))
    headers = {"webhook-id": notice_id, "webhook-timestamp": timestamp}
    if key is not None:
        signed = f"{notice_id}.{timestamp}.".encode() + body
        digest = hmac.new(key, signed, hashlib.sha256).digest()
        headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    return headers


class Sender:
    """Sends to one webhook."""

    def __init__(self, url: str, session_factory: SessionFactory = new_session) -> None:
        self._url = url
        self._session_factory = session_factory

    def send(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Post once; returns when the receiver has taken it (2xx). Raises NotDelivered; after a timeout it
        may have been delivered nevertheless."""
        try:
            status = LIMIT.run(lambda: self._post(body, headers), lambda _: None)
        except TimeoutError:
            raise NotDelivered(f"no answer within {LIMIT.seconds:g} s") from None
        except requests.Timeout:
            raise NotDelivered("no answer in time") from None
        except Exception as error:
            # The texts of requests and urllib3 hold the address; the kind of error is enough.
            raise NotDelivered(f"the connection failed ({type(error).__name__})") from None
        if 300 <= status < 400:
            raise NotDelivered(f"it answered {status}, and redirects are not followed", refused=True)
        if not 200 <= status < 300:
            refused = 400 <= status < 500 and status not in LATER_STATUSES
            raise NotDelivered(f"it answered {status}", refused=refused)

    def _post(self, body: bytes, headers: Mapping[str, str]) -> int:
        """The answer's status; its body is nobody's."""
        with (
            self._session_factory() as session,
            session.post(
                self._url,
                data=body,
                headers={"Content-Type": "application/json", **headers},
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=False,
                stream=True,
            ) as response,
        ):
            return int(response.status_code)
