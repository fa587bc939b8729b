"""Telemetry to Application Insights: what is sent, and that an endpoint that is ill is nobody's trouble."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from opencensus.common.schedule import QueueEvent

from local.fake_clock import FakeClock
from shared import identity
from shared.clients.http.call_meter import UpstreamCall
from shared.config import load_settings
from shared.context import Trace
from shared.doctor.telemetry import problem_of
from shared.telemetry import application_insights
from shared.telemetry.application_insights import (
    CONNECTION_VARIABLE,
    PAUSE_SECONDS,
    SEND_TIMEOUT_SECONDS,
    ApplicationInsights,
)
from shared.telemetry.backend import telemetry_for
from shared.telemetry.insights_data import figures_of, span_of
from shared.telemetry.metrics import Metric
from shared.telemetry.telemetry import Dependency, Guarded, NoTelemetry
from tests.unit.engine_rig import REQUIRED

KEY = "1a2b3c4d-0000-4000-8000-00000000cafe"
ENDPOINT = "https://westus-0.in.applicationinsights.test"
CONNECTION = f"InstrumentationKey={KEY};IngestionEndpoint={ENDPOINT}/"
PARENT = Trace("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
ENDED = datetime(2026, 3, 2, 12, 0, 1, tzinfo=UTC)
CREATED = UpstreamCall("safetyamp", "POST /api/users", "201", 0.25)
STATSBEAT = "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL"
SENDER = ("WEBSITE_SITE_NAME", "WEBSITE_INSTANCE_ID")
LONGEST_SECONDS = 60.0
"""Nobody waits for so long: a machine that is busy must not look like an endpoint that is ill."""

COMPLAINT = "Application Insights takes no telemetry, it is dropped"


class Ingestion:
    """What is posted to the ingestion endpoint; `answer` is its status, or the connection's error. It answers
    nothing while it is `silent`."""

    def __init__(self) -> None:
        self.answer: int | Exception = 200
        self.posts: list[dict[str, Any]] = []
        self.silent = False
        self._released = threading.Event()
        self._arrived = threading.Condition()

    def __call__(self, **post: Any) -> Any:
        with self._arrived:
            self.posts.append({**post, "data": json.loads(post["data"])})
            self._arrived.notify_all()
        if self.silent:
            assert self._released.wait(LONGEST_SECONDS)
        if isinstance(self.answer, Exception):
            raise self.answer
        return SimpleNamespace(status_code=self.answer, text="Ann Canary, no JSON", headers={})

    def wait_for(self, posts: int) -> None:
        """Until so many posts have begun."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.posts) >= posts, LONGEST_SECONDS)

    def speak(self) -> None:
        """Answer, also what has waited in vain so far."""
        self.silent = False
        self._released.set()

    @property
    def envelopes(self) -> list[dict[str, Any]]:
        return [envelope for post in self.posts for envelope in post["data"]]

    @property
    def told(self) -> list[dict[str, Any]]:
        """The payload of each envelope."""
        return [envelope["data"]["baseData"] for envelope in self.envelopes]


class Rig:
    """A backend on a clock that moves when told to."""

    def __init__(self, ingestion: Ingestion, clock: FakeClock, connection: str = CONNECTION) -> None:
        self.ingestion = ingestion
        self.clock = clock
        self.backend = ApplicationInsights(connection)

    def call(self, call: UpstreamCall = CREATED, **facts: str) -> None:
        self.backend.dependency(Dependency(call, PARENT, ENDED, facts))

    def sent(self, *calls: UpstreamCall) -> list[dict[str, Any]]:
        """What is told of these calls."""
        for call in calls:
            self.call(call)
        self.backend.flush()
        return self.ingestion.told


@pytest.fixture
def ingestion(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ingestion]:
    made = Ingestion()
    monkeypatch.setattr(requests, "post", made)
    for name in (CONNECTION_VARIABLE, *SENDER):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv(STATSBEAT, "")
    opencensus = logging.getLogger("opencensus")
    level = opencensus.level
    yield made
    opencensus.setLevel(level)
    made.speak()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    clock = FakeClock()
    monkeypatch.setattr(application_insights, "time", clock)
    monkeypatch.setattr(application_insights, "LONGEST_WAIT_SECONDS", LONGEST_SECONDS)
    return clock


@pytest.fixture
def rig(ingestion: Ingestion, clock: FakeClock) -> Iterator[Rig]:
    made = Rig(ingestion, clock)
    yield made
    ingestion.speak()
    made.backend._calls._worker.stop(LONGEST_SECONDS)


def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application_insights, "LONGEST_WAIT_SECONDS", 0.0)


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    records = [record for record in caplog.records if record.name.startswith("shared.telemetry")]
    return [record.getMessage().split(":")[0] for record in records]


# -- what is sent ----------------------------------------------------------------------------------------


def test_a_call_is_a_dependency_of_its_invocation_and_holds_nothing_but_its_facts(rig: Rig) -> None:
    rig.call(run="r-1", entity="jobs")
    rig.backend.flush()
    (envelope,) = rig.ingestion.envelopes
    assert (envelope["name"], envelope["iKey"]) == ("Microsoft.ApplicationInsights.RemoteDependency", KEY)
    assert envelope["time"] == "2026-03-02T12:00:00.750000Z"
    assert envelope["tags"]["ai.operation.id"] == PARENT.trace_id
    assert envelope["tags"]["ai.operation.parentId"] == PARENT.span_id
    data = envelope["data"]["baseData"]
    assert len(data.pop("id")) == 16
    assert {name: value for name, value in data.items() if value is not None} == {
        "ver": 2,
        "name": "POST /api/users",
        "type": "HTTP",
        "target": "safetyamp",
        "resultCode": "201",
        "duration": "0.00:00:00.250",
        "success": True,
        "properties": {"run": "r-1", "entity": "jobs"},
    }


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (UpstreamCall("safetyamp", "PATCH /api/users/{id}", "422", 0.1), ("HTTP", "safetyamp", "422", False)),
        (UpstreamCall("safetyamp", "GET /api/users", "302", 0.1), ("HTTP", "safetyamp", "302", True)),
        (UpstreamCall("graph", "GET /v1.0/users", "no answer", 35.0), ("HTTP", "graph", "no answer", False)),
        (UpstreamCall("vista", "employees", "ok", 1.5), ("SQL", "vista", "ok", True)),
        (UpstreamCall("vista", "employees", "error", 1.5), ("SQL", "vista", "error", False)),
    ],
    ids=["refused", "redirect", "lost", "query", "failed query"],
)
def test_success_is_what_the_upstream_said(rig: Rig, call: UpstreamCall, told: tuple[Any, ...]) -> None:
    (one,) = rig.sent(call)
    assert (one["type"], one["target"], one["resultCode"], one["success"]) == told


def test_calls_go_together_and_before_their_execution_ends(rig: Rig) -> None:
    assert len(rig.sent(CREATED, CREATED, CREATED)) == 3
    (post,) = rig.ingestion.posts
    assert (post["url"], post["timeout"]) == (f"{ENDPOINT}/v2.1/track", SEND_TIMEOUT_SECONDS)
    assert "Authorization" not in post["headers"]


def test_each_call_is_told_once(rig: Rig) -> None:
    rig.sent(CREATED)
    rig.backend.flush()
    assert len(rig.ingestion.envelopes) == 1


METRICS = [
    Metric(
        "api_requests_total",
        "counter",
        "Calls.",
        [
            ("", (("service", "graph"), ("status", "2xx")), 7),
            ("", (("service", "vista"), ("status", "ok")), 2),
        ],
    ),
    Metric("sync_duration_seconds", "summary", "Runs.", [("_sum", (), 60.5), ("_count", (), 2)]),
    Metric("sync_paused", "gauge", "None.", []),
]


def test_figures_are_told_by_name_and_labels_at_their_time(rig: Rig) -> None:
    rig.backend.metrics(METRICS, ENDED)
    told = [(data["metrics"][0], data["properties"]) for data in rig.ingestion.told]
    assert [(point["name"], point["value"], labels) for point, labels in told] == [
        ("api_requests_total", 7, {"service": "graph", "status": "2xx"}),
        ("api_requests_total", 2, {"service": "vista", "status": "ok"}),
        ("sync_duration_seconds_sum", 60.5, {}),
        ("sync_duration_seconds_count", 2, {}),
    ]
    assert {envelope["time"] for envelope in rig.ingestion.envelopes} == {"2026-03-02T12:00:01+00:00"}


def test_no_figures_are_no_post(rig: Rig) -> None:
    rig.backend.metrics([], ENDED)
    assert rig.ingestion.posts == []


@pytest.mark.parametrize(
    ("environment", "tags"),
    [
        (
            {"WEBSITE_SITE_NAME": "sync-app", "WEBSITE_INSTANCE_ID": "i-1"},
            {"ai.cloud.role": "sync-app", "ai.cloud.roleInstance": "i-1"},
        ),
        ({"WEBSITE_SITE_NAME": "sync-app"}, {"ai.cloud.role": "sync-app"}),
        ({"WEBSITE_INSTANCE_ID": "i-1"}, {"ai.cloud.roleInstance": "i-1"}),
    ],
    ids=["both", "site alone", "instance alone"],
)
def test_app_and_instance_have_the_names_that_the_host_gives_them(
    rig: Rig, environment: Mapping[str, str], tags: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in environment.items():
        monkeypatch.setenv(name, text)
    rig.sent(CREATED)
    rig.backend.metrics(METRICS, ENDED)
    assert len(rig.ingestion.envelopes) == 5
    assert all(tags.items() <= envelope["tags"].items() for envelope in rig.ingestion.envelopes)


def test_times_of_a_call_are_told_in_utc() -> None:
    elsewhere = ENDED.astimezone(timezone(timedelta(hours=-6)))
    span = span_of(Dependency(CREATED, PARENT, elsewhere, {}))
    assert (span.start_time, span.end_time) == ("2026-03-02T12:00:00.750000Z", "2026-03-02T12:00:01.000000Z")
    assert span.parent_span_id == PARENT.span_id


def test_no_two_calls_have_one_id() -> None:
    ids = {span_of(Dependency(CREATED, PARENT, ENDED, {})).span_id for _ in range(50)}
    assert len(ids) == 50


def test_a_figure_keeps_its_sentence_and_a_family_without_samples_is_none() -> None:
    (figure,) = figures_of(METRICS[0], ENDED)
    assert figure.descriptor.description == "Calls."
    assert list(figures_of(METRICS[2], ENDED)) == []


# -- the connection string -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        f"InstrumentationKey={KEY};IngestionEndpoint={ENDPOINT}",
        f"InstrumentationKey={KEY};IngestionEndpoint={ENDPOINT}/;",
        f"instrumentationkey={KEY} ; IngestionEndpoint={ENDPOINT} ;LiveEndpoint=https://live/;ApplicationId=a=b",
        f"Authorization=AAD;InstrumentationKey={KEY.upper()};IngestionEndpoint={ENDPOINT}",
    ],
    ids=["plain", "with an end", "with more", "in capitals"],
)
def test_every_form_that_azure_allows_is_understood_also_where_the_environment_has_it(
    ingestion: Ingestion, clock: FakeClock, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CONNECTION_VARIABLE, text)
    rig = Rig(ingestion, clock, text)
    rig.sent(CREATED)
    assert [post["url"] for post in ingestion.posts] == [f"{ENDPOINT}/v2.1/track"]
    assert [envelope["iKey"] for envelope in ingestion.envelopes] == [KEY]
    assert os.environ[CONNECTION_VARIABLE] == f"InstrumentationKey={KEY};IngestionEndpoint={ENDPOINT}"


def test_without_an_endpoint_it_is_that_of_all_regions(ingestion: Ingestion, clock: FakeClock) -> None:
    Rig(ingestion, clock, f"InstrumentationKey={KEY}").sent(CREATED)
    assert ingestion.posts[0]["url"] == "https://dc.services.visualstudio.com/v2.1/track"
    assert CONNECTION_VARIABLE not in os.environ


@pytest.mark.parametrize(
    "text",
    [
        "",
        ";;",
        "nonsense",
        "InstrumentationKey=1",
        f"InstrumentationKey={KEY}0",
        f"IngestionEndpoint={ENDPOINT}",
        f"InstrumentationKey={KEY};IngestionEndpoint=ftp://x",
        f"InstrumentationKey={KEY};IngestionEndpoint={ENDPOINT}?a=b",
    ],
)
def test_what_is_no_connection_string_is_refused_without_quoting_it(ingestion: Ingestion, text: str) -> None:
    with pytest.raises(ValueError) as refused:
        ApplicationInsights(text)
    assert str(refused.value) == problem_of(text), "the doctor says the same"
    assert KEY not in str(refused.value)


class Credential:
    def get_token(self, *scopes: str) -> Any:
        return SimpleNamespace(token="t0ken")


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(
    ("authentication", "client_id", "signs_in"),
    [
        ("Authorization=AAD", None, True),
        ("ClientId=me;Authorization=AAD", "me", True),
        (" authorization = aad ; clientid = me ", "me", True),
        ("Authorization=ApiKey;ClientId=me", None, False),
        ("", None, False),
        (None, None, False),
    ],
)
def test_the_apps_identity_signs_in_where_the_host_is_told_that_it_shall(
    ingestion: Ingestion,
    authentication: str | None,
    client_id: str | None,
    signs_in: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str | None] = []

    def credential(client_id: str | None) -> Credential:
        asked.append(client_id)
        return Credential()

    monkeypatch.setattr(identity, "azure_credential", credential)
    backend = ApplicationInsights(CONNECTION, authentication)
    backend.dependency(Dependency(CREATED, PARENT, ENDED, {}))
    backend.flush()
    assert asked == ([client_id] if signs_in else [])
    assert ingestion.posts[0]["headers"].get("Authorization") == ("Bearer t0ken" if signs_in else None)


# -- an endpoint that is ill -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [400, 403, 500, 206, requests.ConnectionError("Ann Canary"), requests.ReadTimeout("Ann Canary")],
    ids=lambda answer: str(answer) if isinstance(answer, int) else type(answer).__name__,
)
def test_a_failing_endpoint_is_told_once_with_what_to_check_and_nothing_of_its_answers(
    rig: Rig, answer: int | Exception, caplog: pytest.LogCaptureFixture
) -> None:
    rig.ingestion.answer = answer
    for _ in range(2):
        rig.sent(CREATED)
        rig.backend.metrics(METRICS, ENDED)
    assert complaints(caplog) == [COMPLAINT]
    assert "APPLICATIONINSIGHTS_CONNECTION_STRING" in caplog.text
    assert "Monitoring Metrics Publisher" in caplog.text
    assert "Canary" not in caplog.text
    assert KEY not in caplog.text


def test_what_could_not_be_sent_is_kept_on_no_disk(
    ingestion: Ingestion, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ingestion.answer = 503
    rig = Rig(ingestion, clock)
    rig.sent(CREATED)
    rig.backend.metrics(METRICS, ENDED)
    assert len(ingestion.posts) == 2
    assert list(tmp_path.iterdir()) == []


def test_once_it_takes_telemetry_again_that_is_told_once_and_another_failure_again(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "shared.telemetry")
    for answer in (200, 500, 500, 200, 200, 500):
        rig.ingestion.answer = answer
        rig.sent(CREATED)
    assert complaints(caplog) == [COMPLAINT, "Application Insights takes telemetry again", COMPLAINT]


def test_an_execution_does_not_wait_for_silence_and_that_is_told(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    impatient(monkeypatch)
    rig.ingestion.silent = True
    rig.call()
    rig.backend.flush()
    rig.ingestion.wait_for(1)
    assert complaints(caplog) == [COMPLAINT]


class Waits:
    """Stands in for the wait at the end of an execution: notes for how long, and says how it ended."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds: list[float] = []
        self.in_vain = True
        waits = self

        class NotingEvent(QueueEvent):  # type: ignore[misc]
            def wait(self, timeout: float | None = None) -> bool:
                waits.seconds.append(timeout or 0.0)
                return not waits.in_vain

        monkeypatch.setattr(application_insights, "QueueEvent", NotingEvent)


def test_after_a_wait_in_vain_nobody_waits_for_a_minute(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    waits = Waits(monkeypatch)
    rig.backend.flush()
    assert waits.seconds == [LONGEST_SECONDS]
    rig.clock.advance(PAUSE_SECONDS - 1)
    rig.backend.flush()
    assert len(waits.seconds) == 1
    rig.clock.advance(1)
    rig.backend.flush()
    assert len(waits.seconds) == 2


def test_while_it_answers_each_execution_waits_for_its_own(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    waits = Waits(monkeypatch)
    waits.in_vain = False
    for _ in range(3):
        rig.backend.flush()
    assert waits.seconds == [LONGEST_SECONDS] * 3


def test_figures_are_dropped_while_earlier_ones_hang(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    impatient(monkeypatch)
    rig.ingestion.silent = True
    for _ in range(3):
        rig.backend.metrics(METRICS, ENDED)
    rig.ingestion.wait_for(1)
    assert len(rig.ingestion.posts) == 1
    hanging = rig.backend._sending_figures
    assert hanging is not None
    rig.ingestion.speak()
    hanging.join(LONGEST_SECONDS)
    rig.backend.metrics(METRICS, ENDED)
    rig.ingestion.wait_for(2)


def test_calls_beyond_the_queue_are_dropped_and_the_execution_goes_on(
    ingestion: Ingestion, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(application_insights, "QUEUE_CAPACITY", 2)
    impatient(monkeypatch)
    rig = Rig(ingestion, clock)
    ingestion.silent = True
    rig.call()
    rig.backend.flush()
    ingestion.wait_for(1)
    for _ in range(5):
        rig.call()
    rig.backend.flush()
    assert rig.backend._calls.pending.qsize() == 2
    ingestion.speak()
    rig.backend._calls._worker.stop(LONGEST_SECONDS)
    assert len(ingestion.envelopes) == 3


# -- off -------------------------------------------------------------------------------------------------


def with_connection(text: str) -> Any:
    return load_settings({**REQUIRED, CONNECTION_VARIABLE: text})


@pytest.mark.usefixtures("clock")
def test_a_right_connection_string_makes_a_backend_whose_errors_end_it(ingestion: Ingestion) -> None:
    backend = telemetry_for(with_connection(CONNECTION))
    assert isinstance(backend, Guarded)
    assert backend.enabled
    backend.dependency(Dependency(CREATED, PARENT, ENDED, {}))
    backend.flush()
    assert len(ingestion.envelopes) == 1


@pytest.mark.parametrize("text", ["nonsense", f"InstrumentationKey={KEY};IngestionEndpoint=ftp://x"])
def test_a_wrong_one_is_one_warning_that_shows_the_form_and_not_the_text(
    ingestion: Ingestion, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert isinstance(telemetry_for(with_connection(text)), NoTelemetry)
    (record,) = caplog.records
    assert record.getMessage().startswith("telemetry is off (ValueError): check APPLICATIONINSIGHTS_CONNECT")
    assert "InstrumentationKey=...;IngestionEndpoint=https://..." in record.getMessage()
    assert text not in record.getMessage()


def test_without_the_backends_package_telemetry_is_off(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "shared.telemetry.application_insights", None)
    assert isinstance(telemetry_for(with_connection(CONNECTION)), NoTelemetry)
    assert "telemetry is off (ModuleNotFoundError)" in caplog.text


def test_without_a_connection_string_nothing_is_made_and_nothing_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "shared.telemetry.application_insights", None)
    backend = telemetry_for(load_settings(REQUIRED))
    assert isinstance(backend, NoTelemetry)
    assert not backend.enabled
    backend.dependency(Dependency(CREATED, PARENT, ENDED, {}))
    backend.metrics(METRICS, ENDED)
    backend.flush()
    assert caplog.records == []


class Broken:
    """A backend that raises whatever it is asked."""

    enabled = True

    def __init__(self) -> None:
        self.asked = 0

    def _raise(self, *_: Any) -> None:
        self.asked += 1
        raise RuntimeError("whatever a library raises")

    dependency = metrics = flush = _raise


@pytest.mark.parametrize("method", ["dependency", "metrics", "flush"])
def test_a_backend_that_raises_is_off_with_one_warning(method: str, caplog: pytest.LogCaptureFixture) -> None:
    broken = Broken()
    guarded = Guarded(broken)
    for _ in range(2):
        match method:
            case "dependency":
                guarded.dependency(Dependency(CREATED, PARENT, ENDED, {}))
            case "metrics":
                guarded.metrics(METRICS, ENDED)
            case _:
                guarded.flush()
    assert broken.asked == 1
    assert not guarded.enabled
    assert complaints(caplog) == ["telemetry failed and is off until the process ends"]
