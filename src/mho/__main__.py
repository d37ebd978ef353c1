"""`python -m mho`."""

import sys

from mho.cli import main

sys.exit(main())
