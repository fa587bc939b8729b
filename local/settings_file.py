"""local.settings.json, read as Core Tools does: its values stand where the environment has none."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from shared.errors import ConfigurationError, SettingProblem

FILE_NAME = "local.settings.json"


def local_environment(folder: Path) -> dict[str, str]:
    """The environment over the file's values. Raises ConfigurationError for a file that cannot be read."""
    return {**_values(folder / FILE_NAME), **os.environ}


def _values(path: Path) -> Mapping[str, str]:
    if not path.exists():
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8")).get("Values", {})
    except (ValueError, AttributeError) as error:
        raise ConfigurationError([SettingProblem(FILE_NAME, f"is not valid JSON: {error}")]) from error
    wrong = [name for name, value in values.items() if not isinstance(value, str)]
    if wrong:
        raise ConfigurationError(
            [SettingProblem(FILE_NAME, f"values must be texts in quotes: {', '.join(sorted(wrong))}")]
        )
    return {name: str(value) for name, value in values.items()}
