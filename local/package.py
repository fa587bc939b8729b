"""The deployment package as Core Tools and azd make it: the project without what .funcignore names.

`python -m local.package FILE` writes it, for `az functionapp deployment source config-zip --src FILE`.
"""

from __future__ import annotations

import os
import sys
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from pathspec import GitIgnoreSpec

PROJECT = Path(__file__).resolve().parent.parent
NEVER_SENT = (".git", ".vscode", ".funcignore", ".gitignore", "local.settings.json", "project.lock.json")
"""What Core Tools leaves out by itself (`GetLocalFiles` of its `FileSystemHelpers.cs`)."""

FIXED_TIME = (1980, 1, 1, 0, 0, 0)
"""In the zip, so that the same files make the same bytes."""


def package_files(project: Path = PROJECT) -> list[str]:
    """Paths of the files that are deployed, relative to the project, sorted."""
    ignored = GitIgnoreSpec.from_lines([*NEVER_SENT, *(project / ".funcignore").read_text().splitlines()])
    return sorted(_files(project, ignored))


def _files(project: Path, ignored: GitIgnoreSpec) -> Iterator[str]:
    for folder, folders, files in os.walk(project):
        inside = Path(folder).relative_to(project)
        # Whole environments lie in some of the folders that are left out.
        folders[:] = [name for name in folders if not ignored.match_file(f"{(inside / name).as_posix()}/")]
        for name in files:
            path = (inside / name).as_posix()
            if not ignored.match_file(path):
                yield path


def write_package(target: Path, project: Path = PROJECT) -> list[str]:
    """Write the zip; returns the paths in it."""
    paths = package_files(project)
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as package:
        for path in paths:
            entry = zipfile.ZipInfo(path, FIXED_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            package.writestr(entry, (project / path).read_bytes())
    return paths


def top_level(paths: Iterable[str]) -> dict[str, int]:
    """Files by the first part of their path."""
    counts: dict[str, int] = {}
    for path in paths:
        first = path.split("/", 1)[0]
        counts[first] = counts.get(first, 0) + 1
    return counts


def main() -> None:
    """Write the package and say what is in it."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "dist/safetyamp-sync.zip")
    for name, count in top_level(write_package(target)).items():
        print(f"{name:<20} {count:>4} {'file' if count == 1 else 'files'}")
    print(f"{target}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
