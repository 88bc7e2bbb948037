"""`python -m arcana_pipelines.cli`, for where the command `arcana` is not on the PATH."""

import sys

# With -m Python looks for modules in the current directory first: a yaml.py of an unpacked export would run as us.
if not sys.flags.safe_path:
    del sys.path[0]

from arcana_pipelines.cli.main import main

main()
