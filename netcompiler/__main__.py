"""`python -m netcompiler` is `netc`."""

import sys

from netcompiler.cli import main

sys.exit(main())
