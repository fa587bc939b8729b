"""The app's answers without a running app: its own HTTP functions, in this process, on the documents of
LOCAL_FOLDER."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from requests.adapters import BaseAdapter
from werkzeug.test import Client

from cli.remote.words import command
from local.host.http import HttpHost
from local.host.stack import LocalStack
from shared.config import Settings

COMMANDS = (
    *("runs", "changes", "search", "explain", "failures", "fix-list", "trends", "decisions"),
    *("pause", "resume"),
    *("rules text", "rules history", "rules diff", "rules push", "rules rollback"),
)
"""Neither `status`, which tells how a running app is, nor what sends messages that nobody here would take."""


def instead(options: argparse.Namespace) -> str:
    """The sentence that names what does the same here without a running app; empty where nothing does."""
    match options.command:
        case "approve":
            words = ["--approve", options.run_id]
        case "cancel":
            words = ["--drop", options.run_id]
        case "retry":
            words = ["--refresh", *(["--entity", options.entity] if options.entity else [])]
        case "sync" if options.record is None:
            words = [] if options.entity == "all" else ["--entity", options.entity]
        case _:
            return ""
    return f" Without an app: {command('once', *words)}."


def documents_here(environment: Mapping[str, str]) -> Path | None:
    """The folder in which a run on this machine has left its documents, if there is one."""
    if any(
        environment.get(name) for name in ("DOCUMENTS_CONNECTION", "DOCUMENTS_CONNECTION__BLOBSERVICEURI")
    ):
        return None
    folder = Path(environment.get("LOCAL_FOLDER") or Settings.model_fields["local_folder"].default)
    return folder if folder.is_dir() else None


@contextmanager
def app_here(environment: Mapping[str, str]) -> Iterator[BaseAdapter]:
    """What answers in the place of a running app within the block. Raises ConfigurationError."""
    stack = LocalStack(environment)
    try:
        yield _InProcess(HttpHost(stack.functions, stack.options.route_prefix, None))
    finally:
        stack.close()


class _InProcess(BaseAdapter):
    """Sends requests to an application of this process."""

    def __init__(self, host: HttpHost) -> None:
        super().__init__()
        self._client = Client(host)

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        answer = self._client.open(
            request.path_url,
            method=request.method,
            base_url="http://127.0.0.1",
            headers=list(request.headers.items()),
            data=request.body,
        )
        response = requests.Response()
        response.status_code, response.url, response.request = answer.status_code, request.url or "", request
        response.headers.update(answer.headers.items())
        response._content = answer.get_data()
        return response

    def close(self) -> None:
        """Nothing is open."""
