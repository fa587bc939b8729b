"""Whether a run could work: the doctor's quick checks, told to anybody who asks."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from shared.doctor import check_everything

if TYPE_CHECKING:
    from shared.doctor import Finding
    from shared.runtime import Runtime

NEEDLESS = ("redis",)
"""Checks whose failure stops no run: without Redis everything works, only slower."""

logger = logging.getLogger(__name__)


def missing(runtime: Runtime) -> list[str]:
    """What a run would lack, as "check: SETTING, SETTING"; empty when a run could work.

    Answers within seven seconds, whatever hangs (`shared.doctor.everything`). Nobody has to log in to ask, so
    it names nothing else; the log says what was seen, and so do the doctor and `GET /api/status`.
    """
    failed = [
        finding
        for finding in check_everything(runtime, deep=False)
        if finding.status == "failed" and finding.check not in NEEDLESS
    ]
    for finding in failed:
        logger.warning("not ready: %s: %s", finding.check, finding.seen)
    return list(dict.fromkeys(_named(finding) for finding in failed))


def _named(finding: Finding) -> str:
    return f"{finding.check}: {', '.join(finding.settings)}" if finding.settings else finding.check
