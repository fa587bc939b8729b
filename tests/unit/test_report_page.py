"""The report's page: it says what the report says, hostile texts are inert, and it needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from html.parser import HTMLParser
from typing import Any

import pytest

from shared.reports.document import document_policy
from shared.reports.page import report_page
from shared.reports.problems import MOST_OF_A_KIND
from shared.storage.documents import read_json
from shared.sync import paths
from shared.sync.documents.report import Report
from shared.sync.documents.runs import Run, RunRequest, change_run
from shared.sync.runs.finish import finish_run
from shared.sync.runs.report import make_report
from shared.sync.runs.requests import request_run
from tests.unit.engine_rig import EngineRig
from tests.unit.test_report import a_run, problem, rig_with

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)> & \u202egnp.exe \x00\x1b"
ELEMENTS = {
    *("html", "head", "meta", "title", "style", "body", "main", "header", "section", "div", "p", "span"),
    *("h1", "h2", "h3", "dl", "dt", "dd", "bdi", "time", "table", "thead", "tbody", "tr", "th", "td"),
}
ATTRIBUTES = {"lang", "charset", "name", "content", "http-equiv", "class", "scope", "datetime"}
VOID = {"meta"}
LARGEST_BYTES = 2_000_000


class Parsed(HTMLParser):
    """Elements, attributes and text of a document, whose tags must match."""

    def __init__(self, document: bytes) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(document.decode())
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def report_with(problems: list[dict[str, Any]], **status: Any) -> Report:
    return make_report(rig_with(problems).documents, a_run(**status))


def test_names_the_part_that_waits_with_its_number() -> None:
    report = report_with([])
    report["entities"]["jobs"] |= {"phase": "held", "held_changes": {"deactivate": 53}}
    assert "Waits for an approval: 53 to deactivate" in Parsed(report_page(report)).text


def test_says_counts_reasons_and_what_to_do() -> None:
    problems = [problem("4711", "invalid"), problem("4712", "reported")]
    page = Parsed(
        report_page(report_with(problems, counts={"source": 1234, "created": 7}, calls={"vista": 3}))
    )
    assert "Run 20260105-120000-abcdef failed Requested 2026-01-05 12:00:00 UTC" in page.text
    assert "Took 1 min 30 s" in page.text
    assert "vista 3" in page.text
    assert "Jobs done 1,234 – 7" in page.text
    assert "Titles: failed why What to do: Do as the reason says, then start a run." in page.text
    assert "Invalid: 1 What to do: Mend the record in its source as the reason says" in page.text
    assert "4711 r" in page.text
    assert "In SafetyAmp without a source record: 1" in page.text


def test_a_run_under_way_is_shown_as_it_stands() -> None:
    run = a_run()
    run.phase, run.finished_at = "running", None
    assert (
        "under way: this is how it stands"
        in Parsed(report_page(make_report(EngineRig().documents, run))).text
    )


def test_a_clean_run_says_that_there_are_no_problems() -> None:
    report = make_report(EngineRig().documents, a_run())
    assert "Problems There are none." in Parsed(report_page(report)).text


def test_who_has_no_source_record_and_still_has_access_is_counted() -> None:
    report = make_report(EngineRig().documents, a_run())
    entity = report["entities"]["titles"]
    entity["vanished"] = {"count": 3, "keys": ["7", "5", "6"]}
    assert "without a source record: 3 They" in Parsed(report_page(report)).text
    entity["vanished"]["with_access"] = 1
    assert (
        "without a source record: 3, 1 of them with access, named first" in Parsed(report_page(report)).text
    )


def hostile_report() -> Report:
    found = {"key": HOSTILE, "kind": "invalid", "reason": HOSTILE, "field": HOSTILE}
    report = report_with([found, {**found, "kind": HOSTILE}])
    report |= {"cause": HOSTILE + "\ud800", "keys": [HOSTILE]}
    report["entities"]["jobs"]["vanished"] = {"count": 1, "keys": [HOSTILE]}
    report["entities"]["titles"]["reason"] = HOSTILE
    return report


def test_texts_of_others_are_text_whatever_they_hold() -> None:
    document = report_page(hostile_report())
    page = Parsed(document)
    assert set(page.tags) <= ELEMENTS
    assert page.attributes <= ATTRIBUTES
    assert page.text.count("<script>alert(1)</script>\"'><img src=x onerror=alert(2)>") >= 7
    assert not re.findall(rb"[\x00-\x09\x0b-\x1f]", document)
    # What turns the direction of writing ends with the text that it is in.
    isolated = re.findall(rb"<bdi>[^<]*\xe2\x80\xae[^<]*</bdi>", document)
    assert document.count("\u202e".encode()) == len(isolated)


def test_asks_nobody_for_anything_and_allows_only_its_style() -> None:
    document = report_page(hostile_report()).decode()
    style = re.findall(r"<style>(.*?)</style>", document, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style[0].encode()).digest()).decode()
    assert len(style) == 1
    assert f"style-src 'sha256-{digest}'" in document_policy()
    assert document_policy().startswith("default-src 'none';")
    assert document_policy().removesuffix("; frame-ancestors 'none'") in re.findall(
        r'content="([^"]*)"', document
    )
    assert not re.findall(r"https?:|url\(|@import", document)


def test_thousands_of_problems_are_counted_and_the_first_of_each_kind_named() -> None:
    gone = [problem(f"{number:05}", "invalid") | {"reason": "&" * 5000} for number in range(20_000)]
    report = report_with([*gone, problem("mend-me", "refused")])
    document = report_page(report)
    page = Parsed(document)
    assert len(document) < LARGEST_BYTES
    assert "Invalid: 20,000" in page.text
    assert f"{20_000 - MOST_OF_A_KIND:,} more are not listed here" in page.text
    assert "mend-me" in page.text
    assert page.tags["tr"] < 2 * MOST_OF_A_KIND


def test_kinds_of_which_the_report_names_no_record_are_counted() -> None:
    report = report_with([problem("1", "invalid")])
    report["entities"]["jobs"]["problems_by_kind"]["skipped"] = 300
    assert "Skipped: 300" in Parsed(report_page(report)).text
    assert "300 more are not listed here" in Parsed(report_page(report)).text


@pytest.fixture
def ended() -> tuple[EngineRig, str]:
    """A run whose entities have ended, without its report."""
    rig = EngineRig()
    run_id = request_run(rig.services, RunRequest())

    def end(run: Run) -> None:
        for status in run.entities.values():
            status.phase = "done"

    change_run(rig.documents, run_id, end)
    return rig, run_id


def test_is_written_beside_the_report_and_again_with_it(ended: tuple[EngineRig, str]) -> None:
    rig, run_id = ended

    def cancelled(run: Run) -> None:
        run.phase = "cancelled"

    finish_run(rig.services, run_id)
    assert page_of(rig, run_id) == report_page(read_json(rig.documents, paths.report(run_id)))
    change_run(rig.documents, run_id, cancelled)
    finish_run(rig.services, run_id)
    assert b'Run <span class="id">' + run_id.encode() in page_of(rig, run_id)
    assert b">cancelled</span></p>" in page_of(rig, run_id)


def page_of(rig: EngineRig, run_id: str) -> bytes:
    document = rig.documents.read(paths.report_page(run_id))
    assert document is not None
    return document.data


def test_that_cannot_be_made_does_not_keep_the_run_from_ending(
    ended: tuple[EngineRig, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rig, run_id = ended
    monkeypatch.setattr(rig, "report_page", lambda report: report["no such thing"])
    finish_run(rig.services, run_id)
    assert read_json(rig.documents, paths.report(run_id))["phase"] == "done"
    assert read_json(rig.documents, paths.ACTIVE)["run_id"] is None
