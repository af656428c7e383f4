"""``python -m derainbench.workflow``: the workflow for people; see :mod:`derainbench.workflow.run`."""

import sys

from derainbench.foundation.stopping import stop_at_once

if __name__ == "__main__":
    stop_at_once()  # what follows takes a while to import
    from derainbench.workflow.run import main

    sys.exit(main())
