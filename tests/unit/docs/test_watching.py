"""What docs/ has for Prometheus and Grafana asks for figures that there are, in queries that can be read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from promql_parser import AggregateExpr, MatchOp, VectorSelector

from shared.figures.metrics import metrics_of
from shared.sync.documents.runs import RUN_PHASES
from shared.telemetry.metrics import prometheus_text
from tests.real_parts import PROJECT
from tests.unit.docs.pages import anchors, blocks, page
from tests.unit.test_metrics import full_figures

DASHBOARD = json.loads(page("docs/grafana/safetyamp-sync.json"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
(GROUP,) = yaml.safe_load(page("docs/prometheus/alerts.yml"))["groups"]
ALERTS = {rule["alert"]: rule for rule in GROUP["rules"]}
QUERIES = {
    **{f"alert {name}": rule["expr"] for name, rule in ALERTS.items()},
    **{
        f"panel {panel['title']} {target['refId']}": target["expr"]
        for panel in PANELS
        for target in panel["targets"]
    },
}
OF_THE_SCRAPE = {"job", "instance"}
"""Labels that Prometheus itself gives."""

USED_IN_TEXT = re.compile(r"{{\s*\$labels\.(\w+)\s*}}")
NOT_IN_PROMETHEUS = {
    *("exceptions", "not-ready", "dead-letter-queue", "queue-backlog", "bus-throttled"),
    *("redis-memory", "daily-cap", "alert-rules", "cost"),
}
"""Sections of the runbook about what /metrics cannot know."""


def told() -> dict[str, set[str]]:
    """What `/metrics` says: the labels of each sample's name; `up` is Prometheus's own."""
    text = prometheus_text(metrics_of(full_figures()))
    found: dict[str, set[str]] = {"up": set()}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


TOLD = told()


def nodes(query: str) -> list[Any]:
    """All parts of a query. Raises ValueError for one that Prometheus would refuse."""
    found: list[Any] = []
    promql_parser.walk(promql_parser.parse(query), lambda node: found.append(node))
    return found


def selectors(query: str) -> list[VectorSelector]:
    return [node for node in nodes(query) if isinstance(node, VectorSelector)]


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_can_be_read_and_asks_for_figures_and_labels_that_there_are(name: str) -> None:
    assert selectors(QUERIES[name])
    for selector in selectors(QUERIES[name]):
        assert selector.name in TOLD, selector.name
        matchers = {matcher.name: matcher for matcher in selector.matchers.matchers}
        assert matchers.keys() <= TOLD[selector.name] | OF_THE_SCRAPE
        # Names such as redis_up are others' too.
        assert "job" in matchers, selector.name
        if selector.name == "sync_runs_total" and "status" in matchers:
            assert matchers["status"].value in RUN_PHASES


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_is_summed_up_by_labels_that_its_figures_have(name: str) -> None:
    for node in nodes(QUERIES[name]):
        if isinstance(node, AggregateExpr) and node.modifier is not None:
            known = set[str]().union(*(TOLD[str(found.name)] for found in selectors(node.prettify())))
            assert {*node.modifier.labels} <= known | OF_THE_SCRAPE


def test_a_misspelt_query_would_be_noticed() -> None:
    with pytest.raises(ValueError, match="parenthesis"):
        nodes("sum(runs_held > 0")


def test_every_figure_is_on_the_dashboard() -> None:
    shown = {selector.name for name in QUERIES if name[0] == "p" for selector in selectors(QUERIES[name])}
    assert TOLD.keys() - {"up"} - shown == set()


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_leads_to_its_section_of_the_runbook_and_has_its_severity(name: str) -> None:
    rule = ALERTS[name]
    assert rule["annotations"]["runbook"] == f"docs/runbook.md#{name}"
    assert name in anchors(PROJECT / "docs" / "runbook.md")
    assert f"| [{name}](#{name}) | {rule['labels']['severity']} |" in page("docs/runbook.md")
    labels = set[str]().union(*(TOLD[str(selector.name)] for selector in selectors(rule["expr"])))
    assert {*USED_IN_TEXT.findall(rule["annotations"]["summary"])} <= labels


def test_every_alert_that_figures_can_give_has_a_rule() -> None:
    named = set(re.findall(r"^\| \[([\w-]+)\]\(#", page("docs/runbook.md"), re.MULTILINE))
    assert named - NOT_IN_PROMETHEUS == ALERTS.keys()


def test_rules_watch_the_job_that_the_documents_scrape() -> None:
    (text,) = blocks("docs/operations.md", "yaml")
    (scrape,) = yaml.safe_load(text)["scrape_configs"]
    for rule in ALERTS.values():
        for selector in selectors(rule["expr"]):
            (job,) = [matcher for matcher in selector.matchers.matchers if matcher.name == "job"]
            assert (job.op, job.value) == (MatchOp.Equal, scrape["job_name"])
    assert scrape["http_headers"].keys() == {"x-functions-key"}


def test_panels_have_a_sentence_a_source_that_can_be_chosen_and_a_place_of_their_own() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        place = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not place & taken, panel["title"]
        assert max(x for x, _ in place) < 24
        taken |= place
    for panel in PANELS:
        assert panel["description"]
        sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def legends() -> Iterator[tuple[str, str, str]]:
    for panel in PANELS:
        for target in panel["targets"]:
            yield panel["title"], target["expr"], target["legendFormat"]


def test_what_a_legend_names_is_a_label_of_its_figures() -> None:
    for title, query, legend in legends():
        labels = set[str]().union(*(TOLD[str(selector.name)] for selector in selectors(query)))
        assert {*re.findall(r"{{(\w+)}}", legend)} <= labels, title
