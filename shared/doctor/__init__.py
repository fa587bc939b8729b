"""The doctor: what is wrong with this installation, and what to do about it."""

from shared.doctor.everything import check_everything
from shared.doctor.finding import Finding

__all__ = ["Finding", "check_everything"]
