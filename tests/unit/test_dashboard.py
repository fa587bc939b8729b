"""The page as a document: self-contained, small, and what its policy allows is exactly what is in it."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest

from shared.dashboard.page import FOLDER, SCRIPTS, STYLES, dashboard_page

MOST_BYTES = 120_000
SOURCES = sorted(path for path in FOLDER.iterdir() if path.suffix in {".js", ".css", ".html"})


def inlined(tag: str) -> str:
    (text,) = re.findall(rf"<{tag}[^>]*>(.*?)</{tag}>", dashboard_page().body.decode(), re.DOTALL)
    return str(text)


def test_is_small() -> None:
    assert len(dashboard_page().body) < MOST_BYTES


def test_has_every_file_of_its_folder() -> None:
    assert {path.name for path in SOURCES} == {"page.html", *STYLES, *SCRIPTS}


@pytest.mark.parametrize(("tag", "directive"), [("script", "script-src"), ("style", "style-src")])
def test_allows_by_its_digest_what_is_inlined_and_nothing_else(tag: str, directive: str) -> None:
    digest = base64.b64encode(hashlib.sha256(inlined(tag).encode()).digest()).decode()
    assert f"{directive} 'sha256-{digest}';" in dashboard_page().policy
    assert "unsafe" not in dashboard_page().policy


def test_asks_no_other_host_for_anything() -> None:
    document = dashboard_page().body.decode().replace("http://www.w3.org/2000/svg", "")
    assert re.findall(r"""https?://|\bsrc\s*=|@import|url\(""", document) == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.name))
def test_parses_no_text_as_html_or_code(path: Path) -> None:
    dangerous = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc"
    assert re.findall(dangerous, path.read_text("utf-8")) == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.name))
def test_is_made_of_short_files(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 250
