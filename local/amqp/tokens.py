"""Shared access signatures, as `$cbs` checks them."""

from __future__ import annotations

import base64
import hmac
import time
from hashlib import sha256
from urllib.parse import parse_qs, quote_plus

PREFIX = "SharedAccessSignature "


class TokenRefused(Exception):
    """The text is what the service answers with status 401."""


def check_token(token: str, key_name: str, key: str) -> None:
    """Raises TokenRefused unless the token was signed with this key and has not run out.

    Shape and signature: https://learn.microsoft.com/azure/service-bus-messaging/service-bus-sas
    """
    fields = {name: values[0] for name, values in parse_qs(token.removeprefix(PREFIX)).items()}
    if not token.startswith(PREFIX) or not {"sr", "sig", "se", "skn"} <= fields.keys():
        raise TokenRefused("MalformedToken: The credentials contained in the token are malformed.")
    signed = f"{quote_plus(fields['sr'])}\n{fields['se']}".encode()
    signature = base64.b64encode(hmac.new(key.encode(), signed, sha256).digest()).decode()
    if fields["skn"] != key_name or not hmac.compare_digest(signature, fields["sig"]):
        raise TokenRefused("InvalidSignature: The token has an invalid signature.")
    if not fields["se"].isdecimal() or int(fields["se"]) <= time.time():
        raise TokenRefused("ExpiredToken: The token is expired.")
