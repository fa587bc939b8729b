"""First contact: what the real systems do, held against what `docs/contracts` takes for granted."""
