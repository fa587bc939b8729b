"""Shared access signatures are checked as the service checks them."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from azure.servicebus._base_handler import _generate_sas_token

from local.amqp.addresses import Node, covers, node_of
from local.amqp.tokens import TokenRefused, check_token

NAME, KEY = "RootManageSharedAccessKey", "the/key+="


def token(name: str = NAME, key: str = KEY, age: float = 0.0) -> str:
    """As the SDK signs it."""
    made: str = _generate_sas_token("sb://host:1/q", name, key, timedelta(seconds=3600 - age)).token
    return made


def test_a_token_of_the_sdk_is_good() -> None:
    check_token(token(), NAME, KEY)


@pytest.mark.parametrize(
    ("refused", "why"),
    [
        (token(key="another"), "InvalidSignature"),
        (token(name="another"), "InvalidSignature"),
        (token().replace("host", "elsewhere"), "InvalidSignature"),
        (token().replace("&sig=", "&no="), "MalformedToken"),
        ("", "MalformedToken"),
        ("eyJhbGciOi.J9", "MalformedToken"),
    ],
    ids=["key", "name", "audience", "unsigned", "empty", "another kind"],
)
def test_another_is_refused(refused: str, why: str) -> None:
    with pytest.raises(TokenRefused, match=why):
        check_token(refused, NAME, KEY)


def test_a_token_that_has_run_out_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    made, now = token(), time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3601)
    with pytest.raises(TokenRefused, match="ExpiredToken"):
        check_token(made, NAME, KEY)


QUEUES = ("q", "q/$deadletterqueue")


@pytest.mark.parametrize(
    ("address", "node"),
    [
        ("q", Node("queue", "q")),
        ("amqps://host:1/Q", Node("queue", "q")),
        ("amqps://host/q/$DeadLetterQueue", Node("queue", "q/$deadletterqueue")),
        ("q/$management", Node("management", "q")),
        ("q/$DeadLetterQueue/$management", Node("management", "q/$deadletterqueue")),
        ("$cbs", Node("tokens", "")),
        ("nowhere", None),
        ("nowhere/$management", None),
        ("", None),
    ],
)
def test_an_address_means_a_node(address: str, node: Node | None) -> None:
    assert node_of(address, QUEUES) == node


@pytest.mark.parametrize(
    ("audience", "queue", "good"),
    [
        ("sb://host:1/q", "q", True),
        ("sb://host:1/Q", "q/$deadletterqueue", True),
        ("sb://host:1/q/$deadletterqueue", "q", False),
        ("sb://host:1/", "q", True),
        ("sb://host:1", "q", True),
        ("sb://host:1/another", "q", False),
    ],
)
def test_a_token_is_good_for_what_lies_below_its_audience(audience: str, queue: str, good: bool) -> None:
    assert covers(audience, Node("queue", queue)) is good
