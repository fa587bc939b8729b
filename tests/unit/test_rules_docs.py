"""docs/rules.md has every word of the file, and its examples do what it says."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from shared.clients.vista.rows import EmployeeRow, row_of
from shared.sync.entities import mappings
from shared.sync.entities.expectations import SENSIBLE, outcomes
from shared.sync.model import Desired, SourceRecord
from shared.sync.rules.checking import SET_BY_THE_SYNC
from shared.sync.rules.columns import own_columns
from shared.sync.rules.fields import COLUMNS, NEVER_READ, OWNERS
from shared.sync.rules.schema import ABOUT
from shared.sync.sources import EmployeesSource, MailDirectory, MappingOptions

PAGE = (Path(__file__).parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")
TODAY = date(2026, 6, 1)


def examples() -> dict[str, str]:
    """The files of the page, by the heading above each."""
    found = re.findall(r"^##+ ([^\n]+)\n(?:(?!^##).)*?```toml\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)
    return dict(found)


EXAMPLES = examples()


def test_the_page_has_its_six_examples() -> None:
    assert list(EXAMPLES) == [
        "Expectations: your own tests",
        "The cell phone before the phone",
        "Without a payroll group",
        "TermDate is the last day worked",
        "Addresses are SafetyAmp's",
        "Nobody comes back without somebody's approval",
        "A pilot of one department",
    ]


@pytest.mark.parametrize("heading", list(EXAMPLES))
def test_an_example_can_be_read_and_does_what_it_expects(heading: str) -> None:
    found = list(outcomes(MappingOptions(rules_text=EXAMPLES[heading]), TODAY))
    assert [outcome.failures for outcome in found if not outcome.is_met] == []
    assert found or heading == "Nobody comes back without somebody's approval"


@pytest.mark.parametrize("heading", [name for name, text in EXAMPLES.items() if "[[expect]]" in text])
def test_no_example_would_do_the_same_without_its_rules(heading: str) -> None:
    """But the one that shows expectations, which has no rules."""
    only_expected = "version = 1\n" + EXAMPLES[heading][EXAMPLES[heading].index("[[expect]]") :]
    found = list(outcomes(MappingOptions(rules_text=only_expected), TODAY))
    is_of_owners = heading == "Addresses are SafetyAmp's"
    assert all(one.is_met for one in found) is (heading.startswith("Expectations") or is_of_owners)


def test_addresses_that_are_safetyamps_are_only_filled_in() -> None:
    options = MappingOptions(rules_text=EXAMPLES["Addresses are SafetyAmp's"])
    mapping = mappings(options)["employees"]
    given = {**SENSIBLE["employees"], "Address": "1 Example St", "City": "Lafayette"}
    row = row_of(EmployeeRow, [given.get(name) for name in own_columns(options.rules, "employees")])
    none: frozenset[str] = frozenset()
    source = EmployeesSource([row], {}, none, {}, none, none, MailDirectory({}), TODAY, options)
    (record,) = mapping.records(source)
    assert isinstance(record, SourceRecord)
    desired = mapping.desired(record)
    assert isinstance(desired, Desired)
    assert {"street", "city"} <= desired.fill.keys()
    assert not desired.fields.keys() & {"street", "street2", "city", "state", "zip_code", "country"}


def test_reactivations_are_held() -> None:
    options = MappingOptions(rules_text=EXAMPLES["Nobody comes back without somebody's approval"])
    assert options.rules.employees.actions.of("reactivate") == "hold"
    assert options.rules.employees.actions.of("deactivate") == "apply"


def test_the_page_has_every_word_of_the_file() -> None:
    words = {
        word for word in ABOUT if word not in ("expect", "fields", "protect", "all", "departments_of_pilot")
    }
    words |= set(OWNERS) | NEVER_READ | set(COLUMNS["vehicles"])
    words |= {name for names in SET_BY_THE_SYNC.values() for name in names}
    assert (
        sorted(word for word in words if not re.search(rf"`[^`\n]*\b{re.escape(word)}\b[^`\n]*`", PAGE)) == []
    )


def test_the_table_of_a_fields_words_has_a_line_for_each() -> None:
    for word in ("from", "rule", "text", "constant", "clean", "owner", "empty", "default"):
        assert f"\n| `{word}` | " in PAGE
