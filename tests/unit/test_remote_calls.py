"""The command line takes an answer for what the API says that it is."""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Mapping
from typing import Any, get_args, get_type_hints

import pytest

from cli.remote.calls import CALLS, call_of
from cli.remote.client import Answer, Expected
from shared.queries.openapi.operations import JSON, OPERATIONS
from tests.real_parts import PROJECT

RUN = "20260131-120000-0a1b2c"
SAID: Mapping[str, object] = {
    **dict.fromkeys(
        (
            "phase",
            "action",
            "limit",
            "cursor",
            "run_id",
            "record",
            "reason",
            "who",
            "owner",
            "about_run",
            "days",
            "version",
            "a",
            "b",
            "after",
        )
    ),
    "file": PROJECT / "shared/sync/rules/default.toml",
    **{"entity": "jobs", "text": ["bridge"], "plan": False, "refresh": False},
}
ASKED: tuple[tuple[str, Mapping[str, object]], ...] = (
    *(
        (name, {})
        for name in CALLS
        if name not in ("changes", "explain", "approve", "cancel", "rules preview")
    ),
    *((name, {"run_id": RUN}) for name in ("runs", "changes", "approve", "cancel")),
    *((name, {"record": "100."}) for name in ("explain", "sync")),
)


class Asked:
    """An app that remembers what it was asked for."""

    method = path = ""
    expected: Expected[Any]

    def get(self, path: str, expected: Expected[Any], **_query: Any) -> Answer[Any]:
        return self._remember("get", path, expected)

    def post(self, path: str, expected: Expected[Any], *_body: Any, **_query: Any) -> Answer[Any]:
        return self._remember("post", path, expected)

    def _remember(self, method: str, path: str, expected: Expected[Any]) -> Answer[Any]:
        self.method, self.path, self.expected = method, path, expected
        return Answer("", {})

    def answered_with(self) -> set[object]:
        """The types of the operation that was asked."""
        (operation,) = (
            one
            for one in OPERATIONS
            if one.method == self.method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", one.path), self.path)
        )
        kinds = [contents[JSON] for status, contents in operation.answers.items() if status < 300]
        return {one for kind in kinds for one in (get_args(kind) or (kind,))}


@pytest.mark.parametrize(("command", "said"), ASKED, ids=[" ".join([name, *said]) for name, said in ASKED])
def test_a_command_expects_the_type_that_its_operation_answers_with(
    command: str, said: Mapping[str, object]
) -> None:
    app: Any = Asked()
    options = Namespace(command=command, **{**SAID, **said})
    call_of(options).ask(app, options)
    assert app.expected.kind in app.answered_with()
    assert set(app.expected.members) <= get_type_hints(app.expected.kind).keys()
