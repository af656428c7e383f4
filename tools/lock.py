"""Writes requirements.lock from pyproject.toml, and environment.yml from requirements.lock.

The lock holds the SHA-256 of every file that the index offers for a pinned version, whatever its platform,
and neither the index nor a local folder: what any index hands out is held to it.

python tools/lock.py                     # keeps the pins that still fit
python tools/lock.py --upgrade           # this and other options go to `uv pip compile`
python tools/lock.py --environment-only  # environment.yml alone
"""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
ENVIRONMENT = ROOT / "environment.yml"
UV = "uv==0.13.9"

# The pins are written out, not `-r requirements.lock`: Snakemake copies the file elsewhere.
ENVIRONMENT_HEAD = """\
# Written from requirements.lock by: make lock
# The pins alone: their hashes stand in requirements.lock, which the Makefile installs from.
# Without libGL, `import cv2` needs the headless build last (see the Makefile):
#   pip install --no-deps --force-reinstall {headless}
name: derainbench
channels:
  - conda-forge
dependencies:
  - python=3.11
  - pip
  - pip:
"""


def write_lock(options: list[str]) -> None:
    """Resolves for every platform and Python version that pyproject.toml allows."""
    with tempfile.TemporaryDirectory() as scratch:
        venv.create(scratch, with_pip=True)
        binaries = Path(scratch, "bin")
        subprocess.run([binaries / "pip", "install", "--quiet", UV], check=True)
        command = [str(binaries / "uv"), "pip", "compile", "--quiet", "pyproject.toml"]
        command += ["--extra", "dev", "--universal", "--generate-hashes", "--no-annotate"]
        command += ["--custom-compile-command", "make lock", "--output-file", LOCK.name]
        subprocess.run([*command, *options], check=True, cwd=ROOT)


def locked_pins() -> list[str]:
    """Every requirement of the lock with its marker, without its hashes."""
    lines = LOCK.read_text().splitlines()
    return [line.removesuffix("\\").rstrip() for line in lines if line[:1].isalnum()]


def write_environment() -> None:
    """Writes environment.yml from the lock's pins."""
    pins = locked_pins()
    headless = next(pin for pin in pins if pin.startswith("opencv-python-headless=="))
    head = ENVIRONMENT_HEAD.format(headless=headless)
    ENVIRONMENT.write_text(head + "".join(f"      - {pin}\n" for pin in pins))


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if "--environment-only" not in arguments:
        write_lock(arguments)
    write_environment()
