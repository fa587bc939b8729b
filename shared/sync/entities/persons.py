"""Whether two records show one person. Pure."""

from __future__ import annotations

from shared.sync.model import FieldValues


def is_another_person(known: FieldValues, wanted: FieldValues) -> bool:
    """Whether an employee number went to somebody else: another name and another birth date.

    Who keeps one of them has married or was misspelt. Nothing is said where a part is not known.
    """
    names, born = ("first_name", "last_name"), "date_of_birth"
    if not all(known.get(name) and wanted.get(name) for name in (*names, born)):
        return False
    return not _same_names(known, wanted) and known[born] != wanted[born]


def has_other_names(known: FieldValues, wanted: FieldValues) -> bool:
    """Whether first and last name are both other ones, and no birth date says that it is one person.

    That alone makes nobody another person: who is not known by their names may be misspelt twice."""
    names, born = ("first_name", "last_name"), "date_of_birth"
    if not all(known.get(name) and wanted.get(name) for name in names):
        return False
    if known.get(born) and known.get(born) == wanted.get(born):
        return False
    return all(str(known[name]).casefold() != str(wanted[name]).casefold() for name in names)


def is_same_person(known: FieldValues, wanted: FieldValues) -> bool:
    """Whether a user shows somebody: the same names, and no other birth date."""
    born = {one["date_of_birth"] for one in (known, wanted) if one.get("date_of_birth")}
    return bool(known.get("last_name")) and _same_names(known, wanted) and len(born) < len(("one", "other"))


def may_have_married(known: FieldValues, wanted: FieldValues) -> bool:
    """Whether first name and birth date are those of somebody, whatever the last name is."""
    names = ("first_name", "date_of_birth")
    return all(known.get(name) and known.get(name) == wanted.get(name) for name in names)


def _same_names(known: FieldValues, wanted: FieldValues) -> bool:
    names = ("first_name", "last_name")
    return all(str(known.get(name)).casefold() == str(wanted.get(name)).casefold() for name in names)
