"""Asks the Python advisory database about every locked version: python tools/advisories.py PIP_AUDIT

PIP_AUDIT is the program. Accepted advisories stand in tools/advisories.toml, each with its reason. A
version that the database does not answer for is a failure too: pip-audit alone calls that clean. It
takes a network.
"""

import argparse
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
ACCEPTED = ROOT / "tools" / "advisories.toml"


def accepted() -> list[dict[str, str]]:
    """The accepted advisories: ``id``, ``package``, ``version``, ``reason``."""
    return tomllib.loads(ACCEPTED.read_text("utf-8"))["accepted"]


def command(program: str) -> list[str]:
    """What is run: every hashed pin as it stands in the lock, nothing resolved, nothing skipped."""
    options = ["--strict", "--require-hashes", "--disable-pip", "--progress-spinner", "off"]
    ignored = [word for entry in accepted() for word in ("--ignore-vuln", entry["id"])]
    return [program, *options, *ignored, "--requirement", str(LOCK)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("program", metavar="PIP_AUDIT")
    program = parser.parse_args().program
    for entry in accepted():
        print("accepted: {id}, {package} {version}: {reason}".format(**entry))
    sys.exit(subprocess.run(command(program)).returncode)
