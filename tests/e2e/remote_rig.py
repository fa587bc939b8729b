"""The command line against an app over real HTTP: a rig's app, or whatever else may answer at an address."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from werkzeug.wrappers import Response

from cli.main import main
from cli.remote.address import CLIENT_SETTING, KEY_SETTING, URL_SETTING
from local.host.http import HttpHost, HttpServer
from tests.e2e.http_rig import Api

KEY = "the-function-key"


@dataclass(frozen=True)
class Said:
    """What a command wrote, and its exit status."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def words(self) -> str:
        """The output without line breaks and the indentation after them."""
        return " ".join((self.out + " " + self.err).split())


class Terminal:
    """Types commands for the app at `url`, in a folder without settings."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.monkeypatch = monkeypatch
        self._capsys = capsys
        monkeypatch.chdir(folder)
        monkeypatch.delenv(URL_SETTING, raising=False)
        monkeypatch.delenv(KEY_SETTING, raising=False)
        monkeypatch.delenv(CLIENT_SETTING, raising=False)

    def at(self, url: str, key: str | None = None) -> Terminal:
        """The address and key that the environment has from now on."""
        self.monkeypatch.setenv(URL_SETTING, url)
        if key is not None:
            self.monkeypatch.setenv(KEY_SETTING, key)
        return self

    def narrow(self, columns: int) -> None:
        """Only so many columns from now on."""
        self.monkeypatch.setattr("cli.console.PIPE_WIDTH", columns)

    def types(self, *words: str) -> Said:
        """`python -m local WORDS`; the key is never in what it writes."""
        self._capsys.readouterr()
        try:
            status = main(words)
        except SystemExit as error:
            status = cast(int, error.code)
        written = self._capsys.readouterr()
        assert KEY not in written.out + written.err
        return Said(status, written.out, written.err)


@pytest.fixture
def terminal(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Terminal:
    """One that knows neither address nor key yet."""
    return Terminal(tmp_path_factory.mktemp("terminal"), monkeypatch, capsys)


@contextmanager
def served(app: Any) -> Iterator[str]:
    """The address of a WSGI application."""
    server = HttpServer(app, "127.0.0.1", 0)
    server.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.stop()


@contextmanager
def served_rig(api: Api, key: str | None = KEY) -> Iterator[str]:
    """The address of a rig's app."""
    with served(HttpHost(api.rig.stack.functions, api.rig.stack.options.route_prefix, key)) as url:
        yield url


@contextmanager
def answering(
    body: str, status: int = 200, kind: str = "text/html", headers: dict[str, str] | None = None
) -> Iterator[str]:
    """The address of something that always answers the same."""
    with served(Response(body, status, headers=headers, mimetype=kind)) as url:
        yield url
