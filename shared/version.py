"""The product's version, told to upstreams in the User-Agent and to operators by `/health`, logs and notices;
and the name of its command.

VERSION is the one place that names it. A build adds which commit the package was made of: `infra/package` and
the Dockerfile write `build.json` beside this file. From a working copy there is none.
"""

from __future__ import annotations

import json
from pathlib import Path

VERSION = "0.2.0"
PROGRAM = "safetyamp-sync"
"""What people type at a terminal; `pyproject.toml` installs it."""


def version_of_build(file: Path) -> str:
    """`0.2.0+1a2b3c4d5e6f` by what the build wrote into `file`, or VERSION alone. A file that cannot be read
    must not keep the app from starting: then it says `+unknown`."""
    try:
        return f"{VERSION}+{json.loads(file.read_text(encoding='utf-8'))['commit']}"
    except FileNotFoundError:
        return VERSION
    except (OSError, ValueError, LookupError, TypeError):
        return f"{VERSION}+unknown"


FULL_VERSION = version_of_build(Path(__file__).with_name("build.json"))
