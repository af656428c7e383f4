"""``python -m derainbench.workflow.owned MODULE ARGUMENT..``: a module that ends with who started it.

Snakemake takes seconds to import itself, on a busy machine many, and reads its rules only then. A run
that is killed meanwhile must not leave it behind, so it is looked after from its first moment.
"""

from __future__ import annotations

import runpy
import sys

from derainbench.foundation.owner import end_with_owner


def main() -> None:
    """Runs the module that the first argument names as a program, with the arguments after it."""
    end_with_owner()
    module, *arguments = sys.argv[1:]
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
