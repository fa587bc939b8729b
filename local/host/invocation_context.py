"""The invocation context that the worker gives to functions which ask for it, with the host's traces."""

from __future__ import annotations

import inspect
import threading
import uuid
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import azure.functions as func
from azure.functions import _abc

from shared.context import Trace, new_span_id, new_trace, parse_trace


class LocalTraceContext(_abc.TraceContext):
    """Where the invocation stands in a trace."""

    trace_state = ""
    trace_parent = ""

    def __init__(self, trace: Trace) -> None:
        self.trace_parent = trace.traceparent

    @property
    def attributes(self) -> dict[str, str]:
        return {}


class LocalContext(func.Context):
    """One invocation of a function."""

    invocation_id = ""
    thread_local_storage = threading.local
    function_name = ""
    function_directory = ""

    def __init__(self, function_name: str, trace: Trace) -> None:
        self.invocation_id = str(uuid.uuid4())
        self.function_name = function_name
        self._trace = trace

    @property
    def trace_context(self) -> LocalTraceContext:
        return LocalTraceContext(self._trace)

    @property
    def retry_context(self) -> _abc.RetryContext:
        raise NotImplementedError("no function asks for retries of the host")


def with_context(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, given a context if it asks for one: a child of what its message or request belongs to,
    as the real host makes it."""
    if "context" not in inspect.signature(function).parameters:
        return function

    @wraps(function)
    def call(**arguments: Any) -> Any:
        return function(context=LocalContext(name, _trace_of(arguments)), **arguments)

    return call


def _trace_of(arguments: Mapping[str, Any]) -> Trace:
    for argument in arguments.values():
        carried = getattr(argument, "application_properties", None) or getattr(argument, "headers", None)
        if carried:
            parent = parse_trace(carried.get("Diagnostic-Id") or carried.get("traceparent"))
            if parent is not None:
                return Trace(parent.trace_id, new_span_id())
    return new_trace()
