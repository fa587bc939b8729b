"""The Functions host and its proxy, as the worker library meets them: they ask for the functions, load them,
and invoke them by id. All code between a request and a function is Microsoft's.

Which requests come in which order, and what the proxy adds to each, is from
Azure/azure-functions-python-worker, `workers/proxy_worker/dispatcher.py`.
"""

from __future__ import annotations

import asyncio
import importlib
import itertools
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

from tests.worker.wire import protos

PROJECT = Path(__file__).resolve().parents[2]
TRACE_PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

Entry = Literal["protobuf", "native"]
"""The library's two ways in: for the platform's Python proxy, and for its Rust one, which converts the wire's
messages itself. Here Python does that, by the functions that the first way uses."""


@dataclass(frozen=True)
class Invoked:
    """How an invocation ended. `error` is the text for the host's log, None when it succeeded; `value` is
    what the function returned, as typed data, None when that was nothing."""

    error: str | None
    value: Any

    @property
    def status(self) -> int:
        """The HTTP status that the host answers with."""
        return int(self.value.http.status_code)

    @property
    def headers(self) -> dict[str, str]:
        """The HTTP headers that the host sends on, names in lower case."""
        return {name.lower(): value for name, value in self.value.http.headers.items()}

    @property
    def body(self) -> bytes:
        """The HTTP body."""
        return bytes(self.value.http.body.bytes)

    @property
    def json(self) -> Any:
        """The HTTP body, read as JSON."""
        return json.loads(self.body)


class IndexingFailed(AssertionError):
    """The worker does not take the app; the text is the worker's own."""


class FunctionsHost:
    """One worker with one app. Raises IndexingFailed."""

    def __init__(self, directory: Path = PROJECT) -> None:
        self._invocations = itertools.count(1)
        self._library = importlib.import_module("azure_functions_runtime")
        forget_the_app()
        self._library.start_threadpool_executor()
        self.started = self._ask(
            "worker_init_request",
            protos.WorkerInitRequest(host_version="4.1046.100", function_app_directory=str(directory)),
        )
        _check(self.started.result)
        self.functions = self._metadata(directory)
        for function in self.functions.values():
            self._load(function)

    def stop(self) -> None:
        """End the threads that functions run in, which all hosts of this process share."""
        self._library.stop_threadpool_executor()
        forget_the_app()

    def reload(self, directory: Path, environment: Mapping[str, str]) -> Any:
        """What happens when a waiting worker becomes this app's: it gets the app's environment and folder."""
        forget_the_app()
        answer = self._ask(
            "function_environment_reload_request",
            protos.FunctionEnvironmentReloadRequest(
                environment_variables=environment, function_app_directory=str(directory)
            ),
        )
        _check(answer.result)
        self.functions = self._metadata(directory)
        return answer

    def bindings(self, function: str) -> list[dict[str, Any]]:
        """The bindings of a function as the host reads them, which is JSON."""
        return [json.loads(binding) for binding in self.functions[function].raw_bindings]

    def trigger(self, function: str) -> dict[str, Any]:
        """The binding of its trigger."""
        (trigger,) = (found for found in self.bindings(function) if found["type"].endswith("Trigger"))
        return trigger

    def invoke(
        self, function: str, data: Any, metadata: Mapping[str, Any] | None = None, entry: Entry = "protobuf"
    ) -> Invoked:
        """Invoke a function with its trigger's data, all of it typed data of the wire."""
        invocation_id = f"00000000-0000-4000-8000-{next(self._invocations):012}"
        function_id = self.functions[function].function_id
        binding = protos.ParameterBinding(name=self.trigger(function)["name"], data=data)
        if entry == "native":
            return _invoke_native(invocation_id, function_id, binding, metadata or {})
        response = self._ask(
            "invocation_request",
            protos.InvocationRequest(
                invocation_id=invocation_id,
                function_id=function_id,
                input_data=[binding],
                trigger_metadata=metadata,
                trace_context=protos.RpcTraceContext(trace_parent=TRACE_PARENT),
            ),
        )
        assert response.invocation_id == invocation_id
        succeeded = response.result.status == protos.StatusResult.Success
        value = response.return_value if response.HasField("return_value") else None
        return Invoked(None if succeeded else response.result.exception.message, value)

    def _metadata(self, directory: Path) -> dict[str, Any]:
        asked = protos.FunctionsMetadataRequest(function_app_directory=str(directory))
        answer = self._ask("functions_metadata_request", asked)
        _check(answer.result)
        assert not answer.use_default_metadata_indexing
        return {found.name: found for found in answer.function_metadata_results}

    def _load(self, function: Any) -> None:
        asked = protos.FunctionLoadRequest(function_id=function.function_id, metadata=function)
        answer = self._ask("function_load_request", asked)
        _check(answer.result)
        assert answer.function_id == function.function_id

    def _ask(self, name: str, content: Any) -> Any:
        message = protos.StreamingMessage(request_id="request", **{name: content})
        request = SimpleNamespace(request=message, properties={"protos": protos, "host": "127.0.0.1"})
        return asyncio.run(getattr(self._library, name)(request))


def _invoke_native(
    invocation_id: str, function_id: str, binding: Any, metadata: Mapping[str, Any]
) -> Invoked:
    native = importlib.import_module("azure_functions_runtime.native_invocation")
    datums = importlib.import_module("azure_functions_runtime.bindings.datumdef")
    inputs = [(binding.name, datums.Datum.from_typed_data(binding.data))]
    decoded = {key: datums.Datum.from_typed_data(value) for key, value in metadata.items()}
    handled, succeeded, value, outputs, error, _ = native.run_invocation_sync(
        invocation_id, function_id, inputs, decoded, TRACE_PARENT
    )
    assert handled, "an async function, which this app has none of"
    assert not outputs
    return Invoked(None if succeeded else error, datums.datum_as_proto(value, protos) if value else None)


def _check(result: Any) -> None:
    if result.status != protos.StatusResult.Success:
        raise IndexingFailed(f"{result.exception.message}\n{result.exception.stack_trace}")


def forget_the_app() -> None:
    """Let the next one be imported: a module is imported, and an app indexed, once in a process."""
    sys.modules.pop("function_app", None)
