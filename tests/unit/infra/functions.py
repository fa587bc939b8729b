"""The functions of the app, as the Functions host finds them."""

from __future__ import annotations

import runpy
from functools import cache
from typing import Any

from tests.real_parts import PROJECT


@cache
def bindings() -> dict[str, list[dict[str, Any]]]:
    """The bindings of each function, by its name."""
    app = runpy.run_path(str(PROJECT / "function_app.py"))["app"]
    return {
        function.get_function_name(): [binding.get_dict_repr() for binding in function.get_bindings()]
        for function in app.get_functions()
    }


def background_functions() -> set[str]:
    """Those that a timer or a queue starts."""
    return {
        name
        for name, found in bindings().items()
        if any(binding["type"] in ("timerTrigger", "serviceBusTrigger") for binding in found)
    }
