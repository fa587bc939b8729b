"""SafetyAmp, asked in ways in which the sync itself never asks: at most `MOST_CALLS` GETs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import requests

from local.probe.assumption import Assumption, Shapes, Verdict, id_forms, judged, mostly, shapes, share
from local.probe.recording import LARGE_PAGE, LIMIT_HEADERS
from shared.clients.http.pipeline import HttpPipeline
from shared.clients.http.transport import SessionFactory, new_session
from shared.clients.http.work import Work
from shared.clients.safetyamp import PAGE_SIZE, safetyamp_headers
from shared.errors import APIError
from shared.resilience.retry import RetryPolicy
from shared.runtime import Runtime
from shared.sync.entities.employee_facts import employee_number
from shared.version import VERSION

MOST_CALLS = 25
CONTRACT = "docs/contracts/safetyamp.md"
USER_ID = re.compile(r"[0-9A-Za-z]{5}")
E164 = re.compile(r"\+[1-9][0-9]{6,14}")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

Row = dict[str, Any]


class SafetyAmpProbe:
    """Asks, and keeps what was answered. `recording` is what may be sent along with a question."""

    def __init__(self, runtime: Runtime, session: SessionFactory = new_session) -> None:
        self._settings = runtime.settings
        self._headers: dict[str, str] = {}
        self.calls = 0
        self._pipeline = self._make_pipeline(runtime, session).under(Work("interactive"))
        self.users: list[Row] = []
        """All that were seen, each once."""
        self.recording: dict[str, Any] = {
            **{"resources": {}, "refused": {}, "ids": {}, "users": {}},
            **{"headers": [], "limit": None},
        }

    def close(self) -> None:
        """Close the connections."""
        self._pipeline.close()

    def assumptions(self) -> Iterator[Assumption]:
        """All of them; one that cannot be asked for costs no other. Raises what ends all asking: a refused
        token, a setting that is wrong, a SafetyAmp that is away."""
        yield from self._clusters()
        yield from self._users()
        yield from self._others()
        yield self._limit()

    # -- asking ----------------------------------------------------------------------------------------

    def _make_pipeline(self, runtime: Runtime, session: SessionFactory) -> HttpPipeline:
        settings = runtime.settings
        headers = safetyamp_headers(
            settings.safetyamp_fqdn, settings.safetyamp_token.get_secret_value(), VERSION
        )

        def noting() -> requests.Session:
            made = session()
            made.hooks["response"].append(self._note_headers)
            return made

        return HttpPipeline(
            "safetyamp",
            settings.safetyamp_base_url,
            headers,
            runtime.safetyamp_limiter,
            runtime.breaker("safetyamp"),
            RetryPolicy(1, 0),
            runtime.clock,
            noting,
        )

    def _note_headers(self, response: requests.Response, *_: Any, **__: Any) -> None:
        self._headers |= {name.lower(): value for name, value in response.headers.items()}

    def _ask(self, path: str, **params: Any) -> Any:
        """The `data` of an answer. Raises SafetyAmpError."""
        if self.calls == MOST_CALLS:
            raise AssertionError("more calls than were promised")
        self.calls += 1
        body = self._pipeline.request("GET", f"/api/{path}", params=params or None)
        return body.get("data") if isinstance(body, dict) else None

    def _page(self, resource: str, page: int, limit: int = PAGE_SIZE) -> list[Row]:
        found = self._ask(resource, page=page, limit=limit)
        rows = [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []
        self._record(resource, rows)
        return rows

    def _record(self, resource: str, rows: list[Row]) -> None:
        known: Shapes = self.recording["resources"].setdefault(resource, {})
        for name, counts in shapes(rows).items():
            known[name] = dict(Counter(known.get(name, {})) + Counter(counts))

    # -- clusters --------------------------------------------------------------------------------------

    def _clusters(self) -> Iterator[Assumption]:
        roots = self._ask("site_clusters")
        rows = list(_flat(roots)) if isinstance(roots, list) else []
        self._record("site_clusters", rows)
        is_tree = isinstance(roots, list) and all(isinstance(row.get("children"), list) for row in rows)
        yield self._told(
            "clusters",
            judged(is_tree and len(roots) == 1 if rows else None),
            "site clusters are one call, a tree below one root",
            f"{len(rows)} clusters, {len(roots) if isinstance(roots, list) else 0} of them at the top",
            "clusters",
            "With several roots SAFETYAMP_ROOT_CLUSTER must name one; without a tree nothing can be placed",
        )
        yield self._ids("site_clusters", rows)

    # -- users -----------------------------------------------------------------------------------------

    def _users(self) -> Iterator[Assumption]:
        first, second = self._page("users", 0), self._page("users", 1)
        again, large = self._page("users", 0), self._page("users", 0, LARGE_PAGE)
        self.users = list({str(row.get("id")): row for row in (*first, *second, *large)}.values())
        yield self._page_size(first, large)
        same = _ids(first) == _ids(second)
        self.recording["same_pages"] = same if second else None
        yield self._told(
            "pages",
            judged(not same if second else None),
            "page 0 and page 1 are different pages",
            "they hold the same records" if same and second else f"{len(first)} and {len(second)} records",
            "listings",
            "Nothing is lost: a page without news is read once more in each listing",
        )
        yield self._told(
            "order",
            judged(_ids(first) == _ids(again) if len(first) > 1 else None),
            "a page that is asked for twice holds the same records in the same order",
            "it did" if _ids(first) == _ids(again) else "it did not",
            "listings",
            "Listings shift while they are read. The sync allows for it (two listings before anything counts"
            " as gone), at the price of more calls",
        )
        yield self._by_id(first)
        yield self._ids("users", self.users)
        yield from self._fields()

    def _page_size(self, first: list[Row], large: list[Row]) -> Assumption:
        known = None if len(first) < PAGE_SIZE else len(first) == PAGE_SIZE
        most = f"of {LARGE_PAGE} asked for there were {len(large)}"
        self.recording["page_sizes"] = {str(PAGE_SIZE): len(first), str(LARGE_PAGE): len(large)}
        return self._told(
            "page-size",
            judged(known),
            f"a page holds {PAGE_SIZE} records",
            f"{len(first)} records; {most}",
            "listings",
            "A page that is larger or smaller than asked for is read nevertheless; only its calls differ",
        )

    def _by_id(self, rows: list[Row]) -> Assumption:
        says = "one user can be asked for by its id, and has the same form as in a listing"
        meaning = (
            "What an update repeats is taken from the last listing; users that one listing lacks are told"
            " later"
        )
        if not rows:
            return self._told("by-id", "unknown", says, "there is no user", "one-record")
        listed = rows[0]
        try:
            one = self._ask(f"users/{listed.get('id')}")
        except APIError as error:
            self.recording["by_id"] = error.status_code
            return self._told(
                "by-id", "contradicted", says, f"refused with {error.status_code}", "one-record", meaning
            )
        one = one if isinstance(one, dict) else {}
        self.recording |= {"by_id": 200, "by_id_fields": sorted(one)}
        different = sorted(name for name in listed.keys() | one.keys() if listed.get(name) != one.get(name))
        seen = f"other values or fields: {', '.join(different[:8])}" if different else "the same"
        return self._told("by-id", judged(not different), says, seen, "one-record", meaning)

    def _fields(self) -> Iterator[Assumption]:
        users = self.users
        numbers = [row for row in users if row.get("emp_id") not in (None, "")]
        odd = [row for row in numbers if employee_number(row["emp_id"]) is None]
        twice = [key for key, count in Counter(str(row["emp_id"]) for row in numbers).items() if count > 1]
        self.recording["users"] = {
            **{"seen": len(users), "with_emp_id": len(numbers)},
            **{"no_number": len(odd), "twice": len(twice)},
        }
        yield self._told(
            "emp_id",
            mostly(numbers, [row for row in numbers if row not in odd and str(row["emp_id"]) not in twice]),
            "emp_id is Vista's employee number, of one user only",
            f"{share(users, numbers)} users have one; {len(odd)} are no number, {len(twice)} occur twice",
            "users",
            "Who has none is matched by e-mail or phone only after you gave the number; twice is reported and"
            " left alone",
        )
        yield self._form("mobile_phone", E164, "telephones are E.164", "Numbers look changed each night")
        yield self._form("date_of_birth", DAY, "dates are YYYY-MM-DD", "Dates look changed each night")
        yield self._values("system_access", (True, False), "is true or false in answers")
        yield self._values("gender", (0, 1, None), "is 1, 0 or null")

    def _form(self, field: str, form: re.Pattern[str], says: str, meaning: str) -> Assumption:
        values = [row[field] for row in self.users if row.get(field)]
        good = [value for value in values if isinstance(value, str) and form.fullmatch(value)]
        seen = f"{share(values, good)} values of {field}"
        return self._told(field, mostly(values, good), says, seen, "values", meaning)

    def _values(self, field: str, known: tuple[Any, ...], says: str) -> Assumption:
        values = [row[field] for row in self.users if field in row]
        odd = sorted({type(value).__name__ for value in values if not _among(value, known)})
        seen = f"of {len(values)} values some are {', '.join(odd)}" if odd else f"{len(values)} values are"
        meaning = "Read docs/contracts and compare one user by hand before the first run"
        return self._told(
            field, judged(not odd if values else None), f"{field} {says}", seen, "values", meaning
        )

    # -- the rest --------------------------------------------------------------------------------------

    def _others(self) -> Iterator[Assumption]:
        for resource in ("sites", "user_titles", "roles", "asset_types", "assets"):
            try:
                rows = self._page(resource, 0)
            except APIError as error:
                if error.status_code is None or error.status_code >= 500:
                    raise
                self.recording["refused"][resource] = error.status_code
                yield self._told(
                    f"{resource}.list",
                    "contradicted",
                    f"{resource} can be listed",
                    f"refused with {error.status_code}",
                    "resources",
                    "Let the key of SAFETYAMP_TOKEN read it",
                )
                continue
            yield self._ids(resource, rows)
            if resource == "sites":
                yield self._site_codes(rows)

    def _site_codes(self, rows: list[Row]) -> Assumption:
        coded = [row for row in rows if row.get("ext_id")]
        others = [row for row in rows if row.get("external_code")]
        return self._told(
            "site-code",
            judged(len(others) <= len(coded) if coded or others else None),
            "the code of a site is ext_id",
            f"{share(rows, coded)} sites have ext_id, {len(others)} have external_code",
            "sites",
            "Sites without a code are matched by nothing: give them their job as ext_id before the first run",
        )

    def _limit(self) -> Assumption:
        told = next((self._headers[name] for name in LIMIT_HEADERS if name in self._headers), None)
        self.recording |= {"headers": sorted(self._headers), "limit": told}
        ours = self._settings.api_rate_limit_calls
        verdict: Verdict = "unknown"
        if told is not None and told.isdecimal():
            verdict = judged(int(told) >= ours)
        return self._told(
            "limit",
            verdict,
            f"SafetyAmp takes {ours} calls in {self._settings.api_rate_limit_period:g} s",
            f"its answers say {told}" if told else "its answers do not say",
            "limit",
            "Set API_RATE_LIMIT_CALLS to what its answers say, else calls are refused and waited for",
        )

    def _ids(self, resource: str, rows: list[Row]) -> Assumption:
        self.recording["ids"][resource] = id_forms(_ids(rows))
        is_text = resource == "users"
        fits = [row for row in rows if _fits(row.get("id"), is_text=is_text)]
        return self._told(
            f"{resource}.id",
            judged(len(fits) == len(rows) if rows else None),
            f"ids of {resource} are {'texts of five letters and digits' if is_text else 'whole numbers'}",
            f"{share(rows, fits)}",
            "resources",
            "Ids are kept and sent as they come; before the first run, sync one record and look at it",
        )

    def _told(
        self, name: str, verdict: Verdict, says: str, seen: str, anchor: str, meaning: str = ""
    ) -> Assumption:
        return Assumption(f"safetyamp.{name}", verdict, says, seen, f"{CONTRACT}#{anchor}", meaning)


def _flat(rows: list[Any]) -> Iterator[Row]:
    for row in rows:
        if isinstance(row, dict):
            yield row
            children = row.get("children")
            yield from _flat(children if isinstance(children, list) else [])


def _ids(rows: list[Row]) -> list[Any]:
    return [row.get("id") for row in rows]


def _fits(value: Any, *, is_text: bool) -> bool:
    if is_text:
        return isinstance(value, str) and USER_ID.fullmatch(value) is not None
    return isinstance(value, int) and not isinstance(value, bool)


def _among(value: Any, known: tuple[Any, ...]) -> bool:
    # 1 == True: a number is no truth value here.
    return any(value == one and type(value) is type(one) for one in known)


def of_employees(users: list[Row]) -> Mapping[int, Row]:
    """The users that were seen, by the employee number that they have."""
    numbered = ((employee_number(row.get("emp_id")), row) for row in users)
    return {number: row for number, row in numbered if number is not None}
