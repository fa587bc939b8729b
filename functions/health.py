"""Liveness, readiness and metrics."""

import azure.functions as func

from functions.access import VIEWER, operation
from functions.responses import json_response
from shared import runtime
from shared.doctor.readiness import missing
from shared.figures.figures import read_figures
from shared.figures.metrics import metrics_of
from shared.queries import answers
from shared.telemetry.metrics import prometheus_text
from shared.version import FULL_VERSION

blueprint = func.Blueprint()


@blueprint.route("health", methods=["GET", "HEAD"], auth_level=func.AuthLevel.ANONYMOUS)
def health(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - the host wants the argument
    """The process answers; nothing else is asked."""
    answer: answers.Health = {"status": "healthy", "version": FULL_VERSION}
    return json_response(answer)


@blueprint.route("ready", methods=["GET", "HEAD"], auth_level=func.AuthLevel.ANONYMOUS)
def ready(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001
    """Whether a run could work: 503 with what is missing otherwise."""
    reasons = missing(runtime.current())
    answer: answers.Readiness = {"status": "not ready" if reasons else "ready", "missing": reasons}
    return json_response(answer, 503 if reasons else 200)


@operation(blueprint, "metrics", "GET", VIEWER)
def metrics(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001
    """Prometheus text, from what all instances share."""
    return func.HttpResponse(
        prometheus_text(metrics_of(read_figures(runtime.current()))),
        mimetype="text/plain",
        headers={"Cache-Control": "no-store"},
    )
