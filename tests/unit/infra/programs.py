"""The Python programs of `infra/`, which is no package."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

from tests.unit.infra.bicep import INFRA


def load_program(name: str) -> ModuleType:
    """`infra/NAME.py` as a module."""
    spec = importlib.util.spec_from_file_location(name, INFRA / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # a dataclass looks its module up
    spec.loader.exec_module(module)
    return module
