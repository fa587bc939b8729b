"""What every function does first: join the host's invocation, to which logs, messages and calls belong."""

from collections.abc import Iterator
from contextlib import contextmanager

import azure.functions as func

from shared import runtime
from shared.telemetry.invocation import invocation


@contextmanager
def invoked(context: func.Context) -> Iterator[None]:
    """The function's work; when it ends, its telemetry has been sent."""
    with invocation(runtime.current(), context.function_name, context.trace_context.trace_parent):
        yield
