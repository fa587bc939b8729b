"""`infra/costs.py`, which is a script and no part of a package."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

from tests.unit.infra.bicep import INFRA


def _load() -> Any:
    spec = importlib.util.spec_from_file_location("costs", INFRA / "costs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["costs"] = module
    spec.loader.exec_module(module)
    return module


costs = _load()
