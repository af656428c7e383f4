"""``python -m derainbench`` is the same as ``derainbench``."""

import sys

from derainbench.workflow.fork_server import status_of_fork

if __name__ == "__main__":
    if (status := status_of_fork()) is not None:
        sys.exit(status)
    from derainbench.cli import main

    main()
