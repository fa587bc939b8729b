"""Endpoints for demos and tests in other processes: what SafetyAmp holds, figures, a company, faults."""

from __future__ import annotations

import json

from local.simulators.exchange import SimRequest, SimResponse, json_response
from local.simulators.fault_text import BadFault, fault_of
from local.simulators.tenant import Tenant

PREFIX = "/_sim"


class Inspection:
    """GET /snapshot, GET /stats, POST /company with {"vehicles", "drivers", "graph_users"}, POST /faults with
    one fault in words (fault_text.py), DELETE /faults."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant

    def handle(self, request: SimRequest) -> SimResponse:
        asked = f"{request.method} {request.path}"
        if asked == "GET /snapshot":
            return json_response(200, self._tenant.safetyamp.snapshot())
        if asked == "GET /stats":
            return json_response(200, self._stats())
        if asked == "POST /company":
            return self._replace(request)
        if asked == "POST /faults":
            return self._plan(request)
        if asked == "DELETE /faults":
            self._tenant.heal()
            return json_response(200, {"message": "All faults are forgotten."})
        return json_response(404, {"message": "There are /snapshot, /stats, /company and /faults."})

    def _stats(self) -> dict[str, object]:
        return {
            **self._tenant.safetyamp.stats(),
            "samsara_calls": len(self._tenant.samsara.calls),
            "graph_calls": len(self._tenant.graph.calls),
        }

    def _plan(self, request: SimRequest) -> SimResponse:
        try:
            self._tenant.plan(*fault_of(request.body.decode("utf-8", "replace")))
        except BadFault as error:
            return json_response(400, {"message": f"The fault {error}."})
        return json_response(200, {"message": "The next calls that fit meet it."})

    def _replace(self, request: SimRequest) -> SimResponse:
        try:
            content = json.loads(request.body)
            self._tenant.replace_content(content["vehicles"], content["drivers"], content["graph_users"])
        except (ValueError, KeyError, TypeError):
            return json_response(400, {"message": "Send vehicles, drivers and graph_users, each a list."})
        return json_response(200, {"message": "Replaced."})
