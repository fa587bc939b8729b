"""local.settings.json, read as Core Tools does: its values stand where the environment has none."""

from __future__ import annotations

import json
import logging
import os
import socket
from collections import ChainMap
from collections.abc import Mapping
from pathlib import Path

from shared.errors import ConfigurationError

FILE_NAME = "local.settings.json"
BUS = "SERVICE_BUS_CONNECTION"
RULES, RULES_NAME = "RULES_FILE", "rules.toml"
EMULATOR_PORT = 5672
ANSWER_SECONDS = 0.5

logger = logging.getLogger(__name__)


def local_environment(folder: Path) -> ChainMap[str, str]:
    """The environment over the file's values, kept apart so that it can be told which is which. Raises
    ConfigurationError for a file that cannot be read.

    The example file names the emulator of Service Bus, for `func start`. Where that does not run, its line
    counts as empty, so that the same file serves where there is only Python.

    Behind both stands a `rules.toml` of the folder, where there is one, as RULES_FILE.
    """
    values = dict(_values(folder / FILE_NAME))
    if BUS not in os.environ and _is_emulator_away(values.get(BUS, "")):
        del values[BUS]
        logger.info("no Service Bus emulator runs here; messages stay in this process")
    if not values.get(RULES):
        values.pop(RULES, None)
    rules = folder / RULES_NAME
    return ChainMap(dict(os.environ), values, {RULES: str(rules)} if rules.is_file() else {})


def is_of_file(setting: str, folder: Path) -> bool:
    """Whether a setting's value is the file's: no environment variable stands before it."""
    try:
        return setting not in os.environ and setting in _values(folder / FILE_NAME)
    except ConfigurationError:
        return False


def _values(path: Path) -> Mapping[str, str]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))  # with the mark that Notepad begins with
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigurationError.of(FILE_NAME, f"cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError.of(FILE_NAME, "is not valid JSON: save it as UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise ConfigurationError.of(FILE_NAME, f"is not valid JSON: {error}") from error
    values = content.get("Values", {}) if isinstance(content, dict) else None
    if not isinstance(values, dict):
        text = f'must be an object with an object "Values", as {FILE_NAME}.example is'
        raise ConfigurationError.of(FILE_NAME, text)
    wrong = [name for name, value in values.items() if not isinstance(value, str)]
    if wrong:
        text = f"values must be texts in quotes: {', '.join(sorted(wrong))}"
        raise ConfigurationError.of(FILE_NAME, text)
    return {name: str(value) for name, value in values.items()}


def _is_emulator_away(connection: str) -> bool:
    """Whether it leads to an emulator at which nobody listens; a namespace in Azure is not asked."""
    parts = dict(part.split("=", 1) for part in connection.split(";") if "=" in part)
    if parts.get("UseDevelopmentEmulator", "").lower() != "true":
        return False
    host, _, port = parts.get("Endpoint", "").removeprefix("sb://").rstrip("/").partition(":")
    try:
        with socket.create_connection((host, int(port or EMULATOR_PORT)), ANSWER_SECONDS):
            return False
    except OSError:
        return True
    except ValueError:
        return False  # The connection string is reported where it is used.
