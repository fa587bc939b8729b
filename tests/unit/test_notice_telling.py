"""A round of notices: told once per episode, kept while the webhook is away, never in the caller's way."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from fakeredis import FakeServer

from local.documents.memory import MemoryDocuments
from local.fake_clock import FakeClock
from shared.config import webhook_key
from shared.errors import CircuitOpen, StorageError
from shared.notices import tell
from shared.notices.episodes import CLAIM, KEPT, NOTICES
from shared.notices.observation import observe
from shared.notices.payload import payload
from shared.notices.sender import Sender, webhook_headers
from shared.notices.tell import LONGEST_ROUND_SECONDS, tell_notices
from shared.runtime import Parts, Runtime
from shared.storage.documents import read_json
from shared.sync import paths
from shared.sync.documents.control import Pause, add_pauses
from shared.sync.documents.runs import EntityStatus, Run, RunRequest, change_run
from shared.sync.runs.finish import finish_run
from shared.sync.runs.requests import request_run
from tests.doubles.scripted_upstream import Script
from tests.unit.engine_rig import REQUIRED, KeptBus
from tests.unit.redis_rig import client_of

URL = "https://hooks.5ecret.test/5ecret?sig=5ecret"
SIGNING = "whsec_" + "A" * 32
SWEEP_SECONDS = 300


class Receiver(Script):
    """The webhook's receiver. `answer` is its status, or the error of the connection; each post takes
    `seconds`."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__((202, b""))
        self.clock = clock
        self.answer: int | Exception = 202
        self.answers: dict[str, int] = {}
        self.seconds = 0.0

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        self.clock.advance(self.seconds)
        answer: Any = self.answers.get(self._title(request), self.answer)
        self._steps = [answer if isinstance(answer, Exception) else (answer, b"")]
        return super().send(request, *arguments, **options)

    def _title(self, request: requests.PreparedRequest) -> str:
        body = json.loads(request.body or b"{}")
        return str(body["data"]["title"]) if "data" in body else ""

    @property
    def titles(self) -> list[str]:
        return [self._title(request) for request in self.requests]

    @property
    def ids(self) -> list[str]:
        return [str(request.headers["webhook-id"]) for request in self.requests]


class App:
    """Processes of one app, whose sweeps come one after the other."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.documents = MemoryDocuments(self.clock)
        self.redis = FakeServer()
        self.receiver = Receiver(self.clock)
        self.settings = {
            "NOTICE_WEBHOOK_URL": URL,
            "NOTICE_WEBHOOK_SECRET": SIGNING,
            "WEBSITE_HOSTNAME": "app.test",
        }

    def process(self, documents: Any = None) -> Runtime:
        parts = Parts(
            clock=self.clock,
            documents=lambda _: documents or self.documents,
            bus=lambda _: KeptBus(),
            redis=lambda _: lambda: client_of(self.redis),
        )
        return Runtime({**REQUIRED, **self.settings}, parts)

    def run(self, phase: Any = "done", reason: str | None = None, **how: Any) -> str:
        """A run that has ended so; `phases` are those of single entities."""
        phases = how.pop("phases", {})
        failing = how.pop("failing", 0)
        runtime = self.process()
        run_id = request_run(runtime, RunRequest(**how))

        def end(run: Run) -> None:
            for name in run.entities:
                run.entities[name] = EntityStatus(phases.get(name, phase), reason, failing=failing)

        change_run(self.documents, run_id, end)
        finish_run(runtime, run_id)
        self.clock.advance(1)
        return run_id

    def sweep(self) -> list[str]:
        """Titles of what was posted in this round."""
        before = len(self.receiver.requests)
        tell_notices(self.process())
        self.clock.advance(SWEEP_SECONDS)
        return self.receiver.titles[before:]

    def posted(self, number: int = -1) -> Any:
        return json.loads(self.receiver.requests[number].body or b"")

    @property
    def book(self) -> Any:
        return read_json(self.documents, NOTICES)

    @property
    def waiting(self) -> list[str]:
        return [notice["title"] for notice in self.book["outbox"]]


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[App]:
    made = App()
    monkeypatch.setattr(tell, "Sender", lambda url: Sender(url, made.receiver.session))
    caplog.set_level(logging.INFO, "shared.notices")
    yield made
    assert "5ecret" not in caplog.text


def told(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    """What the notices have written into the log at this level."""
    records = [record for record in caplog.records if record.name.startswith("shared.notices")]
    return [record.getMessage() for record in records if record.levelno == level]


# -- once per episode ------------------------------------------------------------------------------------


def test_where_all_is_well_nothing_is_told(app: App) -> None:
    app.run()
    assert app.sweep() == []
    assert app.book["open"] == []


def test_an_episode_is_told_once_its_end_once_and_what_comes_back_anew(app: App) -> None:
    app.run()
    first = app.run("failed", "Vista is away")
    assert app.sweep() == [f"Run {first} failed"]
    app.run("failed", "Vista is away")
    assert app.sweep() == []
    app.run()
    assert app.sweep() == [f"Over: Run {first} failed"]
    assert app.sweep() == []
    second = app.run("failed", "Vista is away")
    assert app.sweep() == [f"Run {second} failed"]
    assert len(set(app.receiver.ids)) == 3


def test_a_run_of_single_records_neither_begins_nor_ends_an_episode(app: App) -> None:
    app.run()
    app.run("failed", "why", entities=("employees",), keys=("1001",))
    assert app.sweep() == []


def test_without_a_webhook_nothing_is_looked_at_nor_written_down(app: App) -> None:
    del app.settings["NOTICE_WEBHOOK_URL"]
    app.run("failed", "why")
    assert app.sweep() == []
    assert app.documents.read(NOTICES) is None


# -- what is told ----------------------------------------------------------------------------------------


def test_a_notice_says_why_where_to_look_and_is_signed(app: App) -> None:
    app.settings["ENVIRONMENT"] = "prod"
    app.run()
    run_id = app.run("held", "12 people would be deactivated", entities=("employees",))
    app.sweep()
    (request,) = app.receiver.requests
    data = app.posted()["data"]
    assert request.url == URL
    assert data["lines"] == ["employees: 12 people would be deactivated"]
    assert data["url"] == f"https://app.test/dashboard#run/{run_id}"
    assert data["environment"] == "prod"
    sent_at = datetime.fromtimestamp(int(str(request.headers["webhook-timestamp"])), UTC)
    body = request.body
    assert isinstance(body, bytes)
    signed = webhook_headers(app.receiver.ids[0], sent_at, body, webhook_key(SIGNING))
    assert signed.items() <= dict(request.headers).items()


def test_without_a_secret_nothing_is_signed(app: App) -> None:
    del app.settings["NOTICE_WEBHOOK_SECRET"]
    app.run("failed", "why")
    app.sweep()
    assert "webhook-signature" not in app.receiver.requests[0].headers


def test_teams_is_told_by_a_card(app: App) -> None:
    app.settings["NOTICE_WEBHOOK_FORMAT"] = "teams"
    app.run("failed", "why")
    app.sweep()
    assert app.posted()["attachments"][0]["content"]["type"] == "AdaptiveCard"


def test_of_a_failed_run_the_reasons_of_what_failed_and_of_what_is_held_are_told(app: App) -> None:
    app.run()
    phases = {"jobs": "held", "titles": "done", "employees": "failed"}
    app.run("done", "Vista is away", phases=phases, entities=("jobs", "titles", "employees"))
    app.sweep()
    by_name = {
        json.loads(request.body or b"")["data"]["notice"]: number
        for number, request in enumerate(app.receiver.requests)
    }
    assert app.posted(by_name["run-failed"])["data"]["lines"] == [
        "jobs (held): Vista is away",
        "employees: Vista is away",
    ]


def test_an_entity_that_failed_without_a_reason_is_told_by_how_it_ended(app: App) -> None:
    app.run("failed", entities=("jobs",))
    app.sweep()
    assert app.posted()["data"]["lines"] == ["jobs: failed"]


def test_more_than_one_failed_run_is_counted(app: App) -> None:
    app.run()
    app.run("failed", "why", entities=("jobs",))
    newest = app.run("failed", "why", entities=("jobs",))
    assert app.sweep() == [f"Run {newest} failed"]
    assert app.posted()["data"]["lines"][-1].startswith("2 such runs")


def test_of_a_run_whose_document_is_gone_no_reason_is_told(app: App) -> None:
    app.run()
    run_id = app.run("failed", "why")
    app.documents.delete(paths.run(run_id))
    assert app.sweep() == [f"Run {run_id} failed"]
    assert app.posted()["data"]["lines"] == []


def test_of_a_run_whose_document_is_damaged_that_is_told(app: App) -> None:
    app.run()
    run_id = app.run("failed", "why")
    app.documents.write(paths.run(run_id), b"{")
    assert app.sweep() == [f"Run {run_id} failed"]
    (line,) = app.posted()["data"]["lines"]
    assert line.startswith(f"run: the document {paths.run(run_id)} cannot be read")


# -- from when on ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("limit", "count"), [("10", 0), ("9", 1)])
def test_failing_records_are_told_above_the_setting(app: App, limit: str, count: int) -> None:
    app.settings["NOTICE_FAILED_RECORDS"] = limit
    app.run("done", failing=5, entities=("jobs", "employees"))
    assert len(app.sweep()) == count
    assert [app.posted()["data"]["title"] for _ in range(count)] == ["10 records fail (limit 9)"] * count


def test_no_good_run_for_longer_than_the_setting_is_told_with_what_is_going_on(app: App) -> None:
    app.settings["NOTICE_SUCCESS_HOURS"] = "1"
    app.run()
    add_pauses(app.documents, ["jobs"], Pause(app.clock.now().isoformat(), "mending", "olga"))
    request_run(app.process(), RunRequest(entities=("titles",)))
    rounds = [app.sweep() for _ in range(14)]
    assert [titles for titles in rounds if titles] == [["No run has ended well for 1 h"]]
    lines = app.posted()["data"]["lines"]
    assert lines[1:] == ["A run is under way.", "Paused: jobs."]
    assert "olga" not in json.dumps(app.posted())


def test_an_app_that_never_had_a_good_run_is_told_so_once_it_has_been_watched_for_long_enough(
    app: App,
) -> None:
    rounds = [app.sweep() for _ in range(40)]
    assert [titles for titles in rounds if titles] == [["No run has ended well for 3 h"]]
    assert rounds.index(["No run has ended well for 3 h"]) == 3 * 3600 // SWEEP_SECONDS + 1
    assert app.posted()["data"]["lines"] == ["There has been none."]


def opened(app: App, upstream: str) -> None:
    process = app.process()
    breaker = process.breaker(upstream)
    with suppress(CircuitOpen):
        for _ in range(process.settings.breaker_failure_threshold):
            breaker.before_call()
            breaker.failed()


def test_an_open_breaker_is_told_from_the_setting_on_and_redis_away_neither_ends_nor_repeats_it(
    app: App,
) -> None:
    app.settings["NOTICE_BREAKER_MINUTES"] = "0"
    app.run()
    opened(app, "vista")
    assert app.sweep() == ["Vista has been failing for 0 min"]
    app.redis.connected = False
    assert app.sweep() == []
    app.redis.connected = True
    assert app.sweep() == []
    client_of(app.redis).flushall()
    assert app.sweep() == ["Over: Vista has been failing for 0 min"]


def test_a_breaker_that_has_just_opened_is_no_news(app: App) -> None:
    app.run()
    opened(app, "vista")
    assert app.sweep() == []


def test_what_is_seen_is_as_old_as_the_first_look_at_it(app: App) -> None:
    """Whoever looked earlier, and wrote it down later, must not seem to know better."""
    read, at = app.documents.read, app.clock.now()

    def slowly(path: str) -> Any:
        app.clock.advance(5)
        return read(path)

    vars(app.documents)["read"] = slowly
    assert observe(app.process()).at == at


# -- the receiver is away --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [500, 429, 400, 307, requests.ConnectionError(URL), requests.ReadTimeout(URL)],
    ids=lambda answer: str(answer) if isinstance(answer, int) else type(answer).__name__,
)
def test_what_was_not_taken_waits_and_is_sent_again_as_it_was(
    app: App, answer: int | Exception, caplog: pytest.LogCaptureFixture
) -> None:
    app.run()
    run_id = app.run("failed", "why")
    app.receiver.answer = answer
    app.sweep()
    assert app.waiting == [f"Run {run_id} failed"]
    (error,) = told(caplog, logging.ERROR)
    assert error.startswith("NOTICE_WEBHOOK_URL did not take a notice, which is tried again: ")
    app.receiver.answer = 202
    assert app.sweep() == [f"Run {run_id} failed"]
    assert app.waiting == []
    assert app.sweep() == []
    first, second = app.receiver.requests
    assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]


def test_a_receiver_that_is_away_is_asked_once_per_round_and_later_hears_all_in_order(app: App) -> None:
    app.run()
    app.receiver.answer = 503
    failed, held = app.run("failed", "why"), app.run("held", "why")
    assert len(app.sweep()) == 1
    app.run()
    assert len(app.sweep()) == 1
    app.receiver.answer = 202
    assert app.sweep() == [
        f"Run {failed} failed",
        f"Run {held} is held until somebody approves or cancels it",
        f"Over: Run {failed} failed",
        f"Over: Run {held} is held until somebody approves or cancels it",
    ]


def test_a_notice_that_is_refused_keeps_no_other_back(app: App) -> None:
    app.run()
    failed, held = app.run("failed", "why"), app.run("held", "why")
    app.receiver.answers = {f"Run {failed} failed": 400}
    assert len(app.sweep()) == 2
    assert app.waiting == [f"Run {failed} failed"]
    assert app.receiver.titles[1] == f"Run {held} is held until somebody approves or cancels it"


def test_the_end_of_an_episode_waits_for_its_beginning_that_was_refused(app: App) -> None:
    app.run()
    failed = app.run("failed", "why")
    beginning = f"Run {failed} failed"
    app.receiver.answers = {beginning: 400}
    assert app.sweep() == [beginning]
    app.run()
    assert app.sweep() == [beginning]
    app.receiver.answers = {}
    assert app.sweep() == [beginning, f"Over: {beginning}"]


def test_a_round_begins_no_delivery_after_its_time_and_the_rest_follows(app: App) -> None:
    app.run()
    app.receiver.seconds = LONGEST_ROUND_SECONDS + 1
    app.run("failed", "why")
    app.run("held", "why")
    assert len(app.sweep()) == 1
    assert len(app.waiting) == 1
    assert app.book["claimed_by"] is None
    app.receiver.seconds = LONGEST_ROUND_SECONDS
    app.run("failed", "why")
    assert len(app.sweep()) == 1
    assert app.waiting == []


def test_in_the_time_of_a_round_all_that_waits_is_delivered(app: App) -> None:
    app.run()
    app.receiver.seconds = LONGEST_ROUND_SECONDS
    app.run("failed", "why")
    app.run("held", "why")
    assert len(app.sweep()) == 2


def test_of_an_episode_that_nobody_was_told_of_and_that_is_long_over_nobody_is_told(app: App) -> None:
    app.run()
    app.receiver.answer = 503
    app.run("failed", "why")
    app.sweep()
    app.run()
    app.sweep()
    app.clock.advance(KEPT)
    app.run()
    app.receiver.answer = 202
    assert app.sweep() == []


# -- several processes -----------------------------------------------------------------------------------


def test_while_somebody_delivers_another_process_looks_and_tells_nothing(app: App) -> None:
    app.run()
    run_id = app.run("failed", "why")
    post, seen = app.receiver.send, list[bool]()

    def meanwhile(request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        if not seen:
            seen.append(True)
            tell_notices(app.process())
        return post(request, *arguments, **options)

    vars(app.receiver)["send"] = meanwhile
    assert app.sweep() == [f"Run {run_id} failed"]
    assert app.waiting == []


class DiesAfterDelivery:
    """Documents of a process that ends between delivering and writing that down."""

    def __init__(self, app: App) -> None:
        self._app = app

    def __getattr__(self, name: str) -> Any:
        if self._app.receiver.requests and name in ("replace", "create", "write"):
            raise StorageError("the process is gone")
        return getattr(self._app.documents, name)


def test_who_died_after_a_delivery_holds_the_claim_for_a_while_and_then_it_is_told_again_under_its_id(
    app: App,
) -> None:
    app.run()
    run_id = app.run("failed", "why")
    tell_notices(app.process(DiesAfterDelivery(app)))
    app.clock.advance(CLAIM.total_seconds() - 1)
    tell_notices(app.process())
    assert len(app.receiver.requests) == 1
    app.clock.advance(1)
    tell_notices(app.process())
    assert app.receiver.titles == [f"Run {run_id} failed"] * 2
    assert len(set(app.receiver.ids)) == 1


# -- never in the caller's way ---------------------------------------------------------------------------


def fails(error: Exception) -> Callable[..., Any]:
    def raising(*_: Any, **__: Any) -> Any:
        raise error

    return raising


def test_documents_that_are_away_are_a_warning(app: App, caplog: pytest.LogCaptureFixture) -> None:
    app.run("failed", "why")
    vars(app.documents)["read"] = fails(StorageError("Blob Storage is away"))
    assert app.sweep() == []
    assert told(caplog, logging.WARNING) == ["no notices were told: Blob Storage is away"]


def test_wrong_settings_are_a_warning(app: App, caplog: pytest.LogCaptureFixture) -> None:
    app.settings["NOTICE_WEBHOOK_SECRET"] = "5ecret"
    assert app.sweep() == []
    (warning,) = told(caplog, logging.WARNING)
    assert "NOTICE_WEBHOOK_SECRET" in warning


def test_an_error_that_nobody_thought_of_goes_into_the_log_and_no_further(
    app: App, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tell, "observe", fails(ZeroDivisionError()))
    assert app.sweep() == []
    assert told(caplog, logging.ERROR) == ["notices failed"]


def test_what_was_delivered_before_such_an_error_is_not_delivered_again(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.run()
    failed, held = app.run("failed", "why"), app.run("held", "why")
    make = payload

    def breaks(notice: Any, *how: Any) -> bytes:
        if notice.name == "run-held":
            raise ZeroDivisionError
        return make(notice, *how)

    with monkeypatch.context() as patched:
        patched.setattr(tell, "payload", breaks)
        assert app.sweep() == [f"Run {failed} failed"]
    assert app.book["claimed_by"] is None
    assert app.sweep() == [f"Run {held} is held until somebody approves or cancels it"]


@pytest.mark.parametrize("data", [b'{"broken": 1}', b"{", b""], ids=["other", "no JSON", "empty"])
def test_a_damaged_document_of_notices_is_begun_anew_and_what_stands_is_told(
    app: App, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    run_id = app.run("failed", "why")
    app.documents.write(NOTICES, data)
    assert app.sweep() == [f"Run {run_id} failed"]
    (error,) = told(caplog, logging.ERROR)
    assert error.startswith(f"the document {NOTICES} cannot be read")
    assert error.endswith("what stands is told anew")
    assert app.sweep() == []


def test_what_was_told_is_in_the_log_with_its_run(app: App, caplog: pytest.LogCaptureFixture) -> None:
    app.run()
    run_id = app.run("failed", "why")
    app.sweep()
    assert told(caplog, logging.INFO) == [f"told: Run {run_id} failed"]
    facts = [vars(record) for record in caplog.records if record.getMessage().startswith("told: ")]
    assert [(fact["event"], fact["run"]) for fact in facts] == [("notice_told", run_id)]
