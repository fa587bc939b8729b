"""What the Functions host reads from the app: its functions with their triggers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import azure.functions as func

from local.host.invocation_context import with_context
from shared.errors import ConfigurationError, SettingProblem

APP_SETTING = re.compile(r"%([^%]+)%")


@dataclass(frozen=True)
class HostFunction:
    """A function of the app: its name, its code, and its trigger's binding as in function.json."""

    name: str
    call: Callable[..., Any]
    trigger: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """timerTrigger, serviceBusTrigger or httpTrigger."""
        return str(self.trigger["type"])


@dataclass(frozen=True)
class HostOptions:
    """The parts of host.json that this host obeys."""

    route_prefix: str
    max_concurrent_calls: int
    max_lock_renewal: timedelta


def index(app: func.FunctionApp, settings: Mapping[str, str]) -> list[HostFunction]:
    """The app's functions with `%NAME%` replaced by settings, as the real host does.

    An app can be indexed once (azure-functions raises ValueError the second time). Raises
    ConfigurationError for a `%NAME%` without a setting.
    """
    functions = []
    for function in app.get_functions():
        name, trigger = function.get_function_name(), function.get_trigger()
        if name is None or trigger is None:
            raise ValueError(f"function {name} has no trigger")
        binding = {
            key: _resolved(value, settings) if isinstance(value, str) else value
            for key, value in trigger.get_dict_repr().items()
        }
        functions.append(HostFunction(name, with_context(name, function.get_user_function()), binding))
    return functions


def _resolved(text: str, settings: Mapping[str, str]) -> str:
    def replace(match: re.Match[str]) -> str:
        name = match[1]
        if name not in settings:
            raise ConfigurationError([SettingProblem(name, "is not set but a trigger needs it")])
        return settings[name]

    return APP_SETTING.sub(replace, text)


def host_options(path: Path) -> HostOptions:
    """Read host.json."""
    extensions = json.loads(path.read_text())["extensions"]
    hours, minutes, seconds = extensions["serviceBus"]["maxAutoLockRenewalDuration"].split(":")
    return HostOptions(
        route_prefix=extensions["http"]["routePrefix"],
        max_concurrent_calls=extensions["serviceBus"]["maxConcurrentCalls"],
        max_lock_renewal=timedelta(hours=int(hours), minutes=int(minutes), seconds=int(seconds)),
    )
