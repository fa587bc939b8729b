"""Posting a notice: what counts as taken, what may be tried again, and no address in any text."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import pytest
import requests
from urllib3 import HTTPResponse

from shared.notices import sender
from shared.notices.sender import CONNECT_SECONDS, READ_SECONDS, NotDelivered, Sender
from tests.doubles.scripted_upstream import Script, Step

URL = "https://hooks.5ecret.test/5ecret?sig=5ecret"


class NotingScript(Script):
    """A script that also notes how each request was sent."""

    def __init__(self, *steps: Step) -> None:
        super().__init__(*steps)
        self.options: list[dict[str, Any]] = []

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        self.options.append(options)
        return super().send(request, *arguments, **options)


def post(*steps: Step) -> NotingScript:
    script = NotingScript(*steps)
    Sender(URL, script.session).send(b'{"a":1}', {"webhook-id": "n-1"})
    return script


def refusal(*steps: Step) -> NotDelivered:
    with pytest.raises(NotDelivered) as raised:
        post(*steps)
    assert "5ecret" not in "".join(traceback.format_exception(raised.value)), "causes hold the address"
    return raised.value


@pytest.mark.parametrize("status", [200, 202, 204, 299])
def test_any_answer_of_success_is_taken_for_delivered(status: int) -> None:
    (request,) = post((status, b"")).requests
    assert (request.method, request.url, request.body) == ("POST", URL, b'{"a":1}')
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["webhook-id"] == "n-1"


@pytest.mark.parametrize(
    ("status", "refused"),
    [
        (400, True),
        (401, True),
        (404, True),
        (410, True),
        (499, True),
        (408, False),
        (425, False),
        (429, False),
        (500, False),
        (503, False),
    ],
)
def test_any_other_answer_is_told_and_whether_the_receiver_refuses_this_one_alone(
    status: int, refused: bool
) -> None:
    error = refusal((status, b"5ecret"))
    assert (str(error), error.refused) == (f"it answered {status}", refused)


@pytest.mark.parametrize("status", [300, 301, 307, 399])
def test_a_redirect_is_not_followed_for_it_would_take_the_notice_elsewhere(status: int) -> None:
    script = NotingScript((status, b"", {"Location": "https://elsewhere.test/"}), (200, b""))

    def session_that_follows() -> requests.Session:
        session = requests.Session()
        session.mount("https://", script)
        return session

    with pytest.raises(NotDelivered, match=f"it answered {status}, and redirects are not followed") as raised:
        Sender(URL, session_that_follows).send(b"{}", {})
    assert raised.value.refused
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (requests.ReadTimeout(f"{URL}: read timed out"), "no answer in time"),
        (requests.ConnectTimeout(f"{URL}: timed out"), "no answer in time"),
        (requests.ConnectionError(f"HTTPSConnectionPool(host='5ecret'): {URL}"), "(ConnectionError)"),
        (requests.exceptions.InvalidURL(URL), "the connection failed (InvalidURL)"),
        (ValueError(URL), "the connection failed (ValueError)"),
    ],
    ids=["read", "connect", "broken", "no URL", "unexpected"],
)
def test_without_an_answer_it_may_be_tried_again(error: Exception, told: str) -> None:
    found = refusal(error)
    assert told in str(found)
    assert not found.refused


class Overdue:
    """A time limit that is over at once."""

    seconds = 10.0

    def run(self, call: Callable[[], int], discard: Callable[[int], object]) -> int:
        raise TimeoutError


def test_a_receiver_that_trickles_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "LIMIT", Overdue())
    assert str(refusal((200, b""))) == "no answer within 10 s"


def test_one_post_has_an_end_and_leaves_the_answers_body_alone() -> None:
    class NeverRead(HTTPResponse):
        def read(self, *_: Any, **__: Any) -> bytes:
            raise AssertionError("nobody needs the body")

    script = post(NeverRead(body=b"much", status=200, preload_content=False))
    (options,) = script.options
    assert options["timeout"] == (CONNECT_SECONDS, READ_SECONDS)
    assert options["stream"] is True
