"""`python -m discovery`, which `python -m cloud_file discover` starts."""

import sys

from discovery.command import main

sys.exit(main(sys.argv[1:]))
