"""Employees of the demo company: ordinary people first, then the dirt of real tables on top."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from random import Random

from local.company.jobs import CITIES, REGIONLESS_DEPARTMENT
from local.company.model import OTHER_COMPANY, OWN_COMPANY, Row, vista_date

FIRST_NUMBER = 10001
CYCLE = 200
"""Dirt comes back every 200 employees: twice in a company of 400."""

PRIVATE_DOMAIN = "mail.example"
FEMALE = ("Ada", "Beatriz", "Carol", "Dolores", "Elise", "Fatima", "Grace", "Hanh", "Ines", "Joy", "Keisha")
MALE = (
    "Amos",
    "Boris",
    "Cedric",
    "Duc",
    "Emile",
    "Felix",
    "Gus",
    "Hector",
    "Isaac",
    "Jules",
    "Khalil",
    "Leon",
)
LAST = (
    "Arceneaux",
    "Baptiste",
    "Castillo",
    "D'Aquin",
    "Estopinal",
    "Fontenot",
    "Guidry",
    "Hébert",
    "Iverson",
    "Jackson",
    "Kowalski",
    "LeBlanc",
    "Martínez",
    "Nguyen",
    "O'Neal",
    "Petrov",
    "Quist",
    "Robichaux",
    "St. Pierre",
    "Tran",
    "Vidrine",
    "Washington",
    "Young-Lee",
    "Zeringue",
)
TITLES = (
    "Laborer",
    "Carpenter",
    "Equipment Operator",
    "Foreman",
    "Pile Driver",
    "Welder",
    "Truck Driver",
    "Rodman",
    "Crane Operator",
    "Superintendent",
    "Project Engineer",
    "Project Manager",
    "Safety Coordinator",
    "Surveyor",
    "Mechanic",
    "Estimator",
    "Payroll Clerk",
    "Deckhand",
    "Concrete Finisher",
    "Division Manager",
)
AREAS = ("225", "318", "337", "504", "601", "409", "361", "713", "832", "251")
UNKNOWN_DEPARTMENT = "88"

NO_ACCOUNT = frozenset({20, 21, 22, 23, 24})
"""Places in the cycle whose e-mail is Vista's alone."""

LEAVERS = frozenset({42, 43, 44, 45, 46, 47, 49})
OFFICE_ONLY = frozenset({60, 61})


def build_people(count: int, today: date, random: Random) -> list[Row]:
    """`count` rows of our bPREH, then those of another company that has some of the same numbers."""
    rows = [_ordinary(index, today, random) for index in range(count)]
    for index, row in enumerate(rows):
        dirt = DIRT.get(index % CYCLE)
        if dirt:
            dirt(row, rows[index - 1], today)
    return rows + [_other_company(rows[index]) for index in range(0, count, CYCLE // 2)]


def is_leaver(index: int) -> bool:
    """Whether the `index`-th employee has left by today."""
    return index % CYCLE in LEAVERS


def has_time(index: int) -> bool:
    """Whether the `index`-th employee has time posted on jobs; the others need their department's office."""
    return index % 5 != 4 and index % CYCLE not in LEAVERS | OFFICE_ONLY | {40, 48}


def _ordinary(index: int, today: date, random: Random) -> Row:
    female = random.random() < 0.2
    first, last = random.choice(FEMALE if female else MALE), random.choice(LAST)
    number = FIRST_NUMBER + index
    city, zip_code = CITIES[index % len(CITIES)]
    phone = f"{AREAS[index // 10_000 % len(AREAS)]}-555-{index % 10_000:04d}"
    title = random.choice(TITLES[:8] if random.random() < 0.7 else TITLES)
    return {
        "PRCo": OWN_COMPANY,
        "Employee": number,
        "LastName": last,
        "FirstName": first + (" " if index % 4 == 1 else ""),
        "MidName": None if random.random() < 0.4 else random.choice("ABCDEFGHJKLMNPRSTW"),
        "SortName": f"{last[:10].upper()}{number}"[:15],
        "Address": f"{10 + index % 900} Cypress Street",
        "Address2": "Apt 2" if index % 9 == 4 else None,
        "City": city,
        "State": "LA " if index % 2 == 0 else "LA",
        "Zip": _zip(zip_code, index),
        "Country": None if index % 5 < 2 else "US",
        "Phone": phone,
        "CellPhone": phone if index % 2 else None,
        "Sex": "F" if female else "M",
        "BirthDate": vista_date(date(1960, 1, 1) + timedelta(days=random.randrange(15_000))),
        "HireDate": vista_date(today - timedelta(days=random.randrange(30, 6000))),
        "TermDate": None,
        "PRGroup": 2 if index % 5 == 4 else 1,
        "PRDept": f"{random.randrange(1, 20):02d}",
        "ActiveYN": "Y",
        "Email": None if index % 8 == 0 and index % 10 != 7 else private_mail(first, last, number),
        "udEmpTitle": title + ("  " if index % 12 == 5 else ""),
    }


def _zip(zip_code: str, index: int) -> str:
    if index % 5 == 2:
        return f"{zip_code}-"
    return f"{zip_code}-{1000 + index % 9000}" if index % 7 == 3 else zip_code


def private_mail(first: str, last: str, number: int) -> str:
    """A private address, with capitals as people type them."""
    return f"{first}.{ascii_name(last)}{number}@{PRIVATE_DOMAIN}"


def ascii_name(name: str) -> str:
    """The letters of a name as mail addresses have them."""
    plain = name.replace("é", "e").replace("í", "i")
    return "".join(letter for letter in plain if letter.isascii() and letter.isalpha())


def _other_company(twin: Row) -> Row:
    return {
        **twin,
        "PRCo": OTHER_COMPANY,
        "FirstName": "Otto",
        "LastName": "Elsewhere",
        "udEmpTitle": "Boatswain",
        "Email": f"otto.{twin['Employee']}@{PRIVATE_DOMAIN}",
        "Phone": None,
    }


Dirt = Callable[[Row, Row, date], None]


def _put(**values: object) -> Dirt:
    def dirt(row: Row, _before: Row, _today: date) -> None:
        row.update(values)

    return dirt


def _copy(column: str) -> Dirt:
    def dirt(row: Row, before: Row, _today: date) -> None:
        row[column] = before[column]

    return dirt


def _day(column: str, days: int, **values: object) -> Dirt:
    def dirt(row: Row, _before: Row, today: date) -> None:
        row.update(values, **{column: vista_date(today + timedelta(days=days))})

    return dirt


def _left(days: int) -> Dirt:
    return _day("TermDate", -days, ActiveYN="N")


def _spaced_mail(row: Row, _before: Row, _today: date) -> None:
    row["Email"] = f" {FIRST_NUMBER}x{row['Employee']}@ {PRIVATE_DOMAIN}  "


def _control_characters(row: Row, _before: Row, _today: date) -> None:
    row["LastName"] = f"{row['LastName']}\x1f"
    row["Address"] = "12\tOak\x0b Alley"


DIRT: dict[int, Dirt] = {
    11: _put(Phone="337-555-12"),
    12: _put(Phone="1 (11) 500 555-0190"),
    13: _copy("Phone"),
    14: _put(Phone="call the office"),
    15: _copy("Phone"),
    16: _put(Phone=None),
    18: _copy("Phone"),
    20: _spaced_mail,
    21: _put(Email="nobody-at-mail.example"),
    22: _put(Email=None),
    24: _copy("Email"),
    30: _control_characters,
    40: _day("HireDate", 14),
    41: _day("TermDate", 10),
    42: _left(400),
    43: _left(200),
    44: _left(90),
    45: _left(45),
    46: _left(20),
    47: _left(3),
    48: _put(HireDate=None),
    49: _left(0),
    55: _put(udEmpTitle=None),
    56: _put(udEmpTitle="   "),
    60: _put(PRDept=UNKNOWN_DEPARTMENT),
    61: _put(PRDept=REGIONLESS_DEPARTMENT),
    62: _put(PRDept="07  "),
    70: _put(BirthDate="1899-12-30 00:00:00"),
    71: _put(Sex="X"),
    72: _put(Country="CA", State="ON", City="Sarnia", Zip="N7T 1A1"),
    73: _put(State="LOU"),
    74: _put(Zip="7080"),
    75: _put(FirstName="\x00 "),
}
"""What is wrong with the employee at a place in the cycle."""
