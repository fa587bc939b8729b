"""Text that cannot be read is replaced where it comes in, and can be stored and printed everywhere else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.clients.http.answers import Answer, Call, value_of
from shared.errors import InvalidRecord
from shared.storage.documents import from_json, to_json
from shared.unreadable import LENIENT, readable, readable_json, register_lenient_codec

HALF = "\ud83d"
CALL = Call("safetyamp", "POST", "/api/users")


@pytest.mark.parametrize(
    ("text", "seen"),
    [("José", "José"), (f"L{HALF}", "L\ufffd"), ("\ude00", "\ufffd"), ("\ud83d\ude00", "\U0001f600")],
)
def test_halves_of_characters_are_replaced_and_two_that_belong_together_joined(text: str, seen: str) -> None:
    assert readable(text) == seen
    assert readable_json({text: [text, 1, None, {"a": text}]}) == {seen: [seen, 1, None, {"a": seen}]}


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"state": "L\\ud83d"}', {"state": "L\ufffd"}),
        (b'{"state": "\\uD83D\\uDE00"}', {"state": "\U0001f600"}),
        (b'{"state": "L\xed\xa0\xbd"}', {"state": "L\ufffd\ufffd\ufffd"}),
        (b'{"state": "Jos\xe9"}', {"state": "Jos\ufffd"}),
        ('{"state": "José"}'.encode(), {"state": "José"}),
        ('\ufeff{"state": "José"}'.encode(), {"state": "José"}),
    ],
)
def test_an_answer_with_a_character_that_cannot_be_read_is_read_without_it(body: bytes, value: Any) -> None:
    assert value_of(CALL, Answer(200, {}, body)) == value


def test_the_texts_of_a_refusal_can_be_stored_and_shown() -> None:
    body = b'{"errors": {"na\\ud83dme": ["taken by \\ud83d", "x"]}}'
    with pytest.raises(InvalidRecord) as caught:
        value_of(CALL, Answer(422, {}, body))
    errors = caught.value.field_errors
    assert errors == {"na\ufffdme": ["taken by \ufffd", "x"]}
    assert from_json(to_json(errors)) == errors
    str(errors).encode()


@pytest.mark.parametrize("size", [1, 100_000])
def test_a_document_can_be_stored_whatever_text_is_in_it(size: int) -> None:
    assert from_json(to_json({"a": HALF + "x" * size})) == {"a": "\ufffd" + "x" * size}


def test_what_can_be_read_is_stored_as_it_is() -> None:
    value = {"name": "José \U0001f600"}
    assert to_json(value) == json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (b"Ann", "Ann"),
        ("José".encode(), "José"),
        ("José".encode("utf-16-le"), "José"),
        (b"Jos\xe9", "Jos\ufffd"),
        (b"L\xed\xa0\xbd", "L\ufffd\ufffd\ufffd"),
        ("L".encode("utf-16-le") + b"\x3d\xd8", "L\ufffd"),
        (b"\x3d\xd8", "\ufffd"),
    ],
)
def test_the_codec_for_odbc_never_raises(data: bytes, text: str) -> None:
    register_lenient_codec()
    assert data.decode(LENIENT) == text
