"""``python -m derainbench.workflow.owned MODULE ARGUMENT..``: a module that ends with who started it.

Snakemake takes seconds to import itself, on a busy machine many, and reads its rules only then. A run
that is killed meanwhile must not leave it behind, so it is looked after from its first moment.
"""

from __future__ import annotations

import runpy
import signal
import sys

from derainbench.foundation.owner import end_with_owner


def main() -> None:
    """Runs the module that the first argument names as a program, with the arguments after it.

    An interrupt that the module does not handle ends the process without a traceback: Snakemake has
    handlers of its own only while it runs jobs.
    """
    end_with_owner()
    module, *arguments = sys.argv[1:]
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


if __name__ == "__main__":
    main()
