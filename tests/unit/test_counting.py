"""By which names the benchmark counts documents and messages."""

from __future__ import annotations

import pytest

from local.bench.counting import CountingBus, CountingDocuments, Operations, path_kind
from shared.sync import paths
from shared.sync.runs.requests import send_entities
from tests.unit.engine_rig import EngineRig

RUN, PLAN = "20260105-120000-abcdef", "a1b2c3d4"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (paths.ACTIVE, "runs/active.json"),
        (paths.run(RUN), "runs/RUN/run.json"),
        (paths.plan(RUN, "jobs"), "runs/RUN/ENTITY/plan.json"),
        (paths.approved(RUN, "jobs", "0123456789abcdef"), "runs/RUN/ENTITY/approved/PLAN/plan.json"),
        (paths.batch(RUN, "titles", PLAN, 12), "runs/RUN/ENTITY/batches/PLAN/NUMBER.json"),
        (paths.base(RUN, "titles", PLAN), "runs/RUN/ENTITY/base/PLAN.json.gz"),
        (paths.outcomes(RUN, "vehicles"), "runs/RUN/ENTITY/outcomes/"),
        (paths.outcome(RUN, "vehicles", 10_000), "runs/RUN/ENTITY/outcomes/NUMBER.json"),
        (paths.state("employees"), "state/ENTITY.json.gz"),
        (paths.lookup("roles"), "state/lookups/roles.json"),
    ],
)
def test_a_path_loses_what_differs_from_run_to_run(path: str, kind: str) -> None:
    assert path_kind(path) == kind


def test_every_operation_is_counted_and_done() -> None:
    operations = Operations()
    documents = CountingDocuments(EngineRig().documents, operations)
    etag = documents.create("a/b", b"1")
    documents.replace("a/b", b"2", etag)
    documents.write("a/b", b"3")
    lease = documents.acquire_lease("a/b", 60)
    documents.renew_lease("a/b", lease)
    documents.release_lease("a/b", lease)
    document = documents.read("a/b")
    assert document is not None
    assert document.data == b"3"
    assert (list(documents.list("a/")), list(documents.folders(""))) == (["a/b"], ["a"])
    documents.delete("a/b")
    assert documents.read("a/b") is None
    assert operations.documents == {
        **{f"{verb} a/b": 1 for verb in ("create", "replace", "write", "delete")},
        **{"acquire a/b": 1, "renew a/b": 1, "release a/b": 1, "read a/b": 2, "list a/": 1, "folders ": 1},
    }


def test_a_message_is_counted_by_queue_entity_and_the_beginning_of_its_cause() -> None:
    rig, operations = EngineRig(), Operations()
    vars(rig)["bus"] = CountingBus(rig.bus, operations)
    send_entities(rig.services, RUN, ["jobs", "titles"], "release/departments")
    assert operations.messages == {
        "message entity-sync jobs release": 1,
        "message entity-sync titles release": 1,
    }
