"""`python -m local`: the command `safetyamp-sync` where it is not installed."""

import sys

from cli.start import main

sys.exit(main())
