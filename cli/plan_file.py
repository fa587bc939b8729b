"""A plan in a file: its ending says in which form."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path

from cli.arguments import new_file, write_private
from shared.queries import answers
from shared.queries.csv_text import plan_csv
from shared.queries.plan_page import plan_page


def _json(plan: answers.RunPlan) -> bytes:
    return json.dumps(plan, ensure_ascii=False, indent=1).encode("utf-8", "replace")


def _csv(plan: answers.RunPlan) -> bytes:
    # Without a byte order mark Excel reads UTF-8 as something else.
    return ("\ufeff" + plan_csv(plan)).encode("utf-8", "replace")


FORMS: Mapping[str, Callable[[answers.RunPlan], bytes]] = {".html": plan_page, ".json": _json, ".csv": _csv}


def plan_file(text: str) -> Path:
    """The option, for argparse: known before the run whether its end can be written."""
    path = new_file(text)
    if path.suffix.lower() not in FORMS:
        raise argparse.ArgumentTypeError(f"must end in .html, .json or .csv, not {text[-40:]!r}")
    return path


def write_plan(path: Path, plan: answers.RunPlan) -> None:
    """Write it, for nobody else to read: it holds names, addresses and birth dates. Raises OSError."""
    write_private(path, FORMS[path.suffix.lower()](plan))
