"""`python -m local`: the command `safetyamp-sync` where it is not installed."""

import sys

from cli.main import main

sys.exit(main())
