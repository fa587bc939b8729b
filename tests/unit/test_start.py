"""Ctrl+C at the edges of the program's life: while it is loaded, and after its work."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.real_parts import PROJECT

# The first module of ours that is loaded raises what Ctrl+C raises there.
WHILE_LOADED = """
import sys
class Interrupting:
    def find_spec(self, name, *_):
        if name == "cli.arguments":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupting())
"""
AFTERWARDS = """
import atexit, os, signal
atexit.register(os.kill, os.getpid(), signal.SIGINT)
"""


def started(before: str, *words: str) -> subprocess.CompletedProcess[str]:
    script = (
        f"{before}\nimport sys\nsys.argv[1:] = {list(words)!r}\nfrom cli.start import main\nsys.exit(main())"
    )
    return subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, timeout=120, check=False
    )


def test_while_it_is_loaded_a_sentence_is_left() -> None:
    ended = started(WHILE_LOADED, "completion", "bash")
    assert ended.returncode == 130
    assert ended.stderr.startswith("interrupted: ")
    assert ended.stderr.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="a signal is another thing there")
def test_afterwards_it_changes_nothing_any_more() -> None:
    ended = started(AFTERWARDS, "completion", "bash")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout
