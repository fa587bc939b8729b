"""The platform's worker and our telemetry both use protobuf, perhaps not the same one."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from shared.telemetry import application_insights
from tests.doubles.ingestion import ingesting
from tests.e2e.rig import Rig
from tests.worker.functions_host import PROJECT, FunctionsHost
from tests.worker.trigger_data import timer

OF_THE_WORKER = (5, 29)
"""The protobuf that the platform's worker brings for Python 3.13 (Azure/azure-functions-python-worker,
`workers/pyproject.toml`)."""


def test_the_generated_code_that_telemetry_imports_runs_with_the_worker_s_protobuf() -> None:
    """Generated code refuses a protobuf older than its own."""
    found = importlib.util.find_spec("google.rpc.code_pb2")
    assert found is not None
    assert found.origin is not None
    code = Path(found.origin).read_text()
    refused = re.search(r"ValidateProtobufRuntimeVersion\(\s*\S+\s+(\d+),\s*(\d+)", code)
    assert refused is None or (int(refused[1]), int(refused[2])) <= OF_THE_WORKER


def test_importing_the_app_loads_no_protobuf() -> None:
    """The worker exchanges its packages for the app's around that moment."""
    program = "import function_app, sys; print([name for name in sys.modules if name.startswith('google')])"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_the_worker_answers_and_telemetry_arrives_in_one_process(
    host: FunctionsHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Else a busy machine could make the figures come after the execution's end.
    monkeypatch.setattr(application_insights, "LONGEST_WAIT_SECONDS", 60.0)
    with ingesting() as ingestion:
        rig = Rig(tmp_path, APPLICATIONINSIGHTS_CONNECTION_STRING=ingestion.connection_string)
        try:
            assert host.invoke("sweep", timer()).error is None
            assert ingestion.data("MetricData")
            assert host.invoke("sweep", timer()).error is None
        finally:
            rig.close()
