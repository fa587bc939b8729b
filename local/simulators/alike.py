"""A SafetyAmp that answers as a real one was seen to: pages, ids, fields, limit, and what it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from local.probe.recording import SafetyAmpSeen
from local.simulators.exchange import SimRequest, SimResponse, json_response
from local.simulators.safetyamp import PATH, READABLE, SafetyAmpSimulator
from local.simulators.safetyamp_fields import FIELDS
from local.simulators.safetyamp_store import FIRST_IDS, Id, Row, SafetyAmpStore, user_id
from shared.clock import Clock

NUMBER = "number"
DOCUMENTED_IDS = {"users": "5 letters and digits"}
"""Of the others numbers."""

FEWEST_SIGNS, MOST_SIGNS = 4, 100
FIRST_NUMBER = 40_000
"""Of users whose ids are numbers: of no other resource's range."""

EMPTY: Mapping[str, Any] = {"str": "", "int": 0, "float": 0.0, "bool": False, "list": [], "dict": {}}
"""By type, what a field says of which nothing but its type is known."""


class StoreAlike(SafetyAmpStore):
    """Makes ids of other forms than those of docs/contracts."""

    def __init__(self, clock: Clock, forms: Mapping[str, str]) -> None:
        super().__init__(clock)
        self._forms = forms
        self.other_ids = frozenset(forms)

    def new_id(self, resource: str, number: int) -> Id:
        form = self._forms.get(resource)
        return super().new_id(resource, number) if form is None else _id_of(form, resource, number)


class SafetyAmpAlike(SafetyAmpSimulator):
    """The stand-in, with the manners of the one that was recorded."""

    def __init__(self, seen: SafetyAmpSeen, clock: Clock, **how: Any) -> None:
        self._seen = seen
        self._forms = other_forms(seen)
        page_records, self._is_fixed = seen.page
        super().__init__(clock, **{**how, "page_records": page_records})

    def _new_store(self) -> SafetyAmpStore:
        return StoreAlike(self.clock, self._forms)

    def _answer(self, request: SimRequest) -> SimResponse:
        match = PATH.match(request.path)
        resource, record_id = match.groups() if match else ("", None)
        by_id = request.method == "GET" and record_id is not None and resource == READABLE
        refused = self._seen.by_id if by_id else self._seen.refused.get(resource, 200)
        if request.method == "GET" and refused != 200:
            return self._limited(json_response(refused, {"message": "Refused, as it was recorded."}))
        answer = super()._answer(self._as_documented(request))
        if answer.status not in (200, 201):
            return answer
        data = self._shaped(resource, answer.json()["data"])
        if by_id and self._seen.by_id_fields:
            data = {name: value for name, value in data.items() if name in self._seen.by_id_fields}
        return replace(answer, body=json_response(200, {"data": data}).body)

    def _as_documented(self, request: SimRequest) -> SimRequest:
        """What has to be asked of the stand-in, so that it answers as was seen."""
        query = dict(request.query)
        if self._seen.same_pages and query.get("page", "").isdecimal():
            query["page"] = str(max(int(query["page"]) - 1, 0))
        if self._is_fixed and "limit" in query:
            query["limit"] = str(self.page_records)
        return replace(request, query=query)

    def _shaped(self, resource: str, data: Any) -> Any:
        fields = self._seen.resources.get(resource)
        if not fields:
            return data
        if isinstance(data, list):
            return [self._shaped(resource, row) for row in data]
        shaped = {
            name: _of_type(resource, name, value, fields) for name, value in data.items() if name in fields
        }
        for name in fields.keys() - data.keys():
            shaped[name] = EMPTY.get(_usual_type(fields[name]))
        if resource == "site_clusters" and "children" in data:
            shaped["children"] = self._shaped(resource, data["children"])
        return shaped

    def _find(self, resource: str, raw_id: str) -> Row | None:
        row = self._store.get(resource, raw_id)
        return self._store.get(resource, int(raw_id)) if row is None and raw_id.isdecimal() else row

    def _limited(self, response: SimResponse) -> SimResponse:
        name = self._seen.limit_header
        if name is None:
            return response
        prefix = name.removesuffix("limit")
        limited = super()._limited(response)
        headers = {
            header.lower().replace("x-ratelimit-", prefix) if "ratelimit" in header.lower() else header: value
            for header, value in limited.headers.items()
        }
        return replace(limited, headers=headers)


def other_forms(seen: SafetyAmpSeen) -> dict[str, str]:
    """The resources whose ids are mostly of another form than docs/contracts says, with that form."""
    known = {
        resource: {form: count for form, count in forms.items() if form != "none"}
        for resource, forms in seen.ids.items()
    }
    usual = {resource: max(forms, key=forms.__getitem__) for resource, forms in known.items() if forms}
    return {
        resource: form
        for resource, form in usual.items()
        if resource in FIRST_IDS and form != DOCUMENTED_IDS.get(resource, NUMBER)
    }


def _id_of(form: str, resource: str, number: int) -> Id:
    length, _, kind = form.partition(" ")
    if not kind or not length.isdecimal() or len(length) > 3:
        return number + FIRST_NUMBER if resource == "users" else number
    signs = min(max(int(length), FEWEST_SIGNS), MOST_SIGNS)
    if kind == "digits":
        return str(10 ** (signs - 1) + number)
    if kind == "signs":
        text = user_id(number, signs - 1)
        return f"{text[: signs // 2]}-{text[signs // 2 :]}"
    return user_id(number, signs)


def _of_type(resource: str, name: str, value: Any, fields: Mapping[str, Mapping[str, int]]) -> Any:
    """The value in the type that the field was seen to have, where it can be one; ids have it already."""
    wanted = _usual_type(fields[name])
    is_id = name == "id" or any(field.refers for field in FIELDS.get(resource, ()) if field.name == name)
    if is_id or value is None or type(value).__name__ == wanted:
        return value
    if wanted == "int" and (isinstance(value, bool) or (isinstance(value, str) and value.isdecimal())):
        return int(value)
    if wanted == "bool" and value in (0, 1):
        return bool(value)
    if wanted == "str" and isinstance(value, int):
        return str(int(value))
    return value


def _usual_type(counts: Mapping[str, int]) -> str:
    """Of what is there."""
    there = {kind: count for kind, count in counts.items() if kind != "NoneType"}
    return max(there, key=there.__getitem__) if there else "NoneType"
