"""The line of every key is found, in whatever way TOML lets it be written."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.sync.rules.lines import Path, line_numbers, line_of
from shared.sync.rules.reading import default_text

TEXT = '''# a comment = 1
version = 1

[employees.fields]
first_name = { from = ["FirstName", 'Nick'], clean = "names" }  # [not.a.table]
"last_name".owner = "source"

[[employees.scope]]
name = "Crews # 1"
all = [
    { column = "PRGroup", in = ["1",
        "2"] },
    # a comment, with ] and }
    { column = "Off", is_not = "Y" },
]
[[employees.scope]]
name = """
Two
lines"""
all = [{ column = "A\\"]", is = 1979-05-27 }]

[employees.scope.more]
x = true
[employees . "quoted key"]
y = 1
'''


def test_lines_are_found_in_every_way_of_writing() -> None:
    found = line_numbers(TEXT)
    wanted: dict[Path, int] = {
        ("version",): 2,
        ("employees", "fields"): 4,
        ("employees", "fields", "first_name", "from"): 5,
        ("employees", "fields", "first_name", "from", 1): 5,
        ("employees", "fields", "first_name", "clean"): 5,
        ("employees", "fields", "last_name", "owner"): 6,
        ("employees", "scope"): 8,
        ("employees", "scope", 0): 8,
        ("employees", "scope", 0, "all", 0, "in", 1): 12,
        ("employees", "scope", 0, "all", 1, "is_not"): 14,
        ("employees", "scope", 1): 16,
        ("employees", "scope", 1, "name"): 17,
        ("employees", "scope", 1, "all", 0, "is"): 20,
        ("employees", "scope", 1, "more", "x"): 23,
        ("employees", "quoted key", "y"): 25,
    }
    assert {path: found.get(path) for path in wanted} == wanted


def test_what_is_nowhere_is_told_by_what_is_around_it() -> None:
    found = line_numbers(TEXT)
    assert line_of(found, ("employees", "fields", "first_name", "default")) == 5
    assert line_of(found, ("employees", "scope", 1, "all", 7, "in")) == 20
    assert line_of(found, ("jobs", "fields")) is None


def test_lines_are_told_of_a_broken_text_up_to_the_damage() -> None:
    assert line_numbers("a = 1\nb = \nc = 3\n")[("a",)] == 1
    assert line_numbers("a = " + "[" * 100_000)


def paths(value: object, path: Path = ()) -> Iterator[Path]:
    if path:
        yield path
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from paths(one, (*path, key))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from paths(one, (*path, number))


def test_every_place_of_the_default_file_has_a_line() -> None:
    found = line_numbers(default_text())
    lines = default_text().splitlines()
    for path in paths(tomllib.loads(default_text())):
        named = next(part for part in reversed(path) if isinstance(part, str))
        assert named in lines[found[path] - 1], path


KEYS = st.sampled_from(["a", "b-1", '"c d"', "'e#'", '"f\\"]"'])
BLANKS = st.sampled_from(["", " ", "  # [x] = {", "\n# y = 1\n"])


@st.composite
def values(draw: st.DrawFn, depth: int = 2) -> str:
    plain = st.sampled_from(["1", "true", '"x # ] } = \\" y"', "'z]'", "1979-05-27 07:32:00", '"""p\n"q"""'])
    kind = draw(st.integers(0, 3 if depth else 1))
    if kind < 2:
        return draw(plain)
    if kind == 2:
        inside = draw(st.lists(values(depth=depth - 1), max_size=3))
        return "[" + ",".join(f"\n  {one}" for one in inside) + "\n]"
    keys = draw(st.lists(KEYS, unique=True, max_size=3))
    return "{" + ", ".join(f"{key} = {draw(values(depth=0))}" for key in keys) + "}"


@st.composite
def documents(draw: st.DrawFn) -> str:
    text = ""
    for key in draw(st.lists(KEYS, unique=True, max_size=3)):
        text += f"{key} = {draw(values())}\n{draw(BLANKS)}\n"
    for table in draw(st.lists(st.sampled_from(["[t]", "[t2.u]", "[[v.w]]"]), max_size=5)):
        if table != "[[v.w]]" and table in text:
            continue
        text += f"{table}\n" + "".join(
            f"{key} = {draw(values())}\n" for key in draw(st.lists(KEYS, unique=True, max_size=2))
        )
    return text


@given(documents())
@settings(max_examples=60, deadline=None)
def test_every_place_that_tomllib_reads_has_a_line_and_no_other(text: str) -> None:
    assert set(line_numbers(text)) == set(paths(tomllib.loads(text)))
