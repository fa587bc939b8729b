"""What lies behind an error: SDKs keep the network's own words only as the cause or context of theirs."""

from __future__ import annotations

from collections.abc import Iterator


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error itself, then what led to it, back to the first."""
    found: BaseException | None = error
    while found is not None:
        yield found
        # azure-core keeps the transport's error in an attribute, and raises its own elsewhere.
        found = found.__cause__ or getattr(found, "inner_exception", None) or found.__context__
