"""The faults of mutation testing: each kind is made, once, and nothing that does nothing is touched."""

from __future__ import annotations

import pytest

from tests.mutants.__main__ import choose, difference
from tests.mutants.faults import is_another_program, mutants_of
from tests.mutants.runs import Reached


def faults(source: str) -> list[str]:
    """What the mutants make of the source."""
    found = mutants_of("a.py", source.encode())
    return [mutant.applied_to(source.encode()).decode() for mutant in found]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a == b", ["a != b"]),
        ("a is not b", ["a is b"]),
        ("a not in b", ["a in b"]),
        ("a < b <= c", ["a <= b <= c", "a < b < c"]),
        ("a >= (b) > c", ["a > (b) > c", "a >= (b) >= c"]),
        ("a and b or c", ["a and b and c", "a or b or c"]),
        ("a + b * c", ["a - b * c", "a + b // c"]),
        ("not a", ["a"]),
        ("[True, 41, 0.5]", ["[False, 41, 0.5]", "[True, 42, 0.5]", "[True, 41, 1.5]"]),
        ("x = max(a, b)", ["x = min(a, b)"]),
        ("a.b = c", ["pass"]),
        ("a[b] = c", ["pass"]),
        ("a += b", ["pass"]),
        ("del a", ["pass"]),
        ("raise a", ["pass"]),
        ("a.b(c)", ["pass"]),
        ("x = a if b else c", ["x = a if not (b) else c"]),
        ("if a:\n    b", ["if not (a):\n    b"]),
        ("if a == b:\n    c", ["if a != b:\n    c"]),
        ("[a for a in b if a]", ["[a for a in b if not (a)]"]),
        (
            "while a:\n    break\n    continue",
            [
                "while not (a):\n    break\n    continue",
                "while a:\n    continue\n    continue",
                "while a:\n    break\n    break",
            ],
        ),
        ("def f():\n    return a", ["def f():\n    return None"]),
        ("def f(é: int = 1):\n    pass", ["def f(é: int = 2):\n    pass"]),
        ("é = a == b", ["é = a != b"]),
        ("a: 1 = b == c", ["a: 1 = b != c"]),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_fault_is_made_of_each_kind(source: str, expected: list[str]) -> None:
    assert faults(source) == expected


@pytest.mark.parametrize(
    "source",
    [
        '"a text"',
        "a = b",
        "import a",
        "@a(b=True)\nclass C:\n    d: 1",
        "class P(Protocol):\n    a: int = 1",
        "def f(a: 1) -> 2: ...",
        'f"{a == b}"',
        "if TYPE_CHECKING:\n    import a",
    ],
)
def test_what_does_nothing_is_left_alone(source: str) -> None:
    assert faults(source) == []


@pytest.mark.parametrize(
    ("source", "is_one"), [("not(a)", False), ("def f():\n    return None", False), ("not a", True)]
)
def test_a_mutant_is_another_program_that_python_reads(source: str, is_one: bool) -> None:
    (mutant,) = mutants_of("a.py", source.encode())
    assert is_another_program(mutant, source.encode()) == is_one


def test_a_sample_is_as_large_as_asked_and_the_same_for_its_seed() -> None:
    sources = {"a.py": b"\n".join([b"a == b", b"not(a)"] * 10)}
    everything = mutants_of("a.py", sources["a.py"])
    sample = choose(everything, sources, 5, seed=7)
    assert len(sample) == 5
    assert {mutant.new for mutant in sample} == {b" != "}
    assert choose(everything, sources, 5, seed=7) == sample
    assert choose(everything, sources, 5, seed=8) != sample


def test_a_survivor_is_shown_with_its_place_and_what_differs() -> None:
    source = b"a\nb == c\nd"
    (mutant,) = mutants_of("shared/a.py", source)
    assert difference(mutant, source) == "shared/a.py:2\n-b == c\n+b != c"


def noticing(source: str) -> set[str]:
    """Where `one` ran line 3 and `other` line 5; line 1 and 5 were also run when the module was imported."""
    reached = Reached(tests={"a.py": {1: {""}, 3: {"one"}, 5: {"", "other"}}, "b.py": {1: {"third"}}})
    return reached.by(mutants_of("a.py", source.encode())[0], source.encode())


def test_a_fault_is_noticed_by_the_tests_that_ran_its_lines() -> None:
    assert noticing("def f():\n    x\n    return (\n        a\n    )") == set()
    assert noticing("def f():\n    x\n    return a") == {"one"}
    assert noticing("def f():\n    x\n    return (a\n\n    )(b)") == {"one", "other"}


@pytest.mark.parametrize(
    "source",
    ["LIMIT = 1", "@cache\ndef f():\n    return a", "def f(a=1): ..."],
    ids=["constant", "cached", "default"],
)
def test_what_runs_once_for_all_is_noticed_by_all_tests_of_the_module(source: str) -> None:
    assert noticing(source) == {"one", "other"}
