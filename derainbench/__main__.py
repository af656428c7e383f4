"""``python -m derainbench`` is the same as ``derainbench``."""

from derainbench.foundation.stopping import stop_at_once, stop_orderly

stop_at_once()  # what follows takes a while to import


def main() -> None:
    """The command line as a process of its own, which ends with the workflow that started it."""
    from derainbench.cli import main as command_line
    from derainbench.foundation.freed_memory import keep_freed_memory
    from derainbench.foundation.owner import end_with_owner

    stop_orderly()
    end_with_owner()
    keep_freed_memory()
    command_line()


if __name__ == "__main__":
    import sys

    from derainbench.workflow.fork_call import status_of_fork

    if (status := status_of_fork()) is not None:
        sys.exit(status)
    main()
