"""How long the fate of a creation stays open that got no answer."""

from __future__ import annotations

from datetime import timedelta

from shared.sync.services import Services


def settled_after(services: Services) -> timedelta:
    """So much later a creation that got no answer has been carried out or never will be. What takes longer
    still can be there twice, where SafetyAmp has no unique value to refuse it by."""
    return timedelta(seconds=services.settings.lost_answer_seconds)
