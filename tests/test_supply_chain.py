"""What is installed is what was locked, file by file; what that is, is told."""

import re
import sys
import tomllib
from importlib import metadata

import pytest
import yaml
from helpers import ROOT
from packaging.requirements import Requirement

sys.path.append(str(ROOT / "tools"))
import advisories
import licences
import lock

LOCKED = lock.LOCK.read_text()
PINS = [Requirement(pin) for pin in lock.locked_pins()]
HERE = {p.name: p for p in PINS if p.marker is None or p.marker.evaluate()}


def recipe(target: str) -> str:
    """The commands of a target of the Makefile."""
    return re.search(rf"^{re.escape(target)}:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)[1]


MAKEFILE = (ROOT / "Makefile").read_text()


def test_the_lock_pins_every_package_to_files_by_their_hash_and_names_no_index():
    blocks = re.split(r"\n(?=\w)", LOCKED.split("make lock\n")[1].rstrip())
    assert len(blocks) == len(PINS) > 200
    for block in blocks:
        first, *hashes = block.replace("\\\n", "\n").splitlines()
        assert re.match(r"[a-z0-9-]+==[\w.]+( ; .+)?$", first.strip()), first
        assert hashes and all(re.fullmatch(r" +--hash=sha256:[0-9a-f]{64} *", h) for h in hashes)
    assert not re.search(r"https?:|file:|index|find-links", LOCKED)


def test_the_lock_holds_all_that_the_project_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    for requirement in map(Requirement, wanted):
        [version] = [s.version for s in HERE[requirement.name].specifier]
        assert requirement.specifier.contains(version), requirement


def test_the_lock_resolves_for_every_python_that_is_promised():
    for version in ("3.11.9", "3.12.9", "3.13.5"):
        system = {"python_full_version": version, "python_version": version[:4]}
        names = [p.name for p in PINS if p.marker is None or p.marker.evaluate(system)]
        assert len(names) == len(set(names)) > 200


def test_what_is_installed_are_the_locked_versions():
    installed: dict[str, str] = {}
    for d in metadata.distributions():  # setuptools puts copies of its own at the path's end
        installed.setdefault(re.sub(r"[._]", "-", d.metadata["Name"].lower()), d.version)
    found = {name: installed.get(name) for name in HERE}
    differing = {n: v for n, v in found.items() if not v or not HERE[n].specifier.contains(v)}
    assert differing == {}


def test_nothing_is_installed_without_its_hash():
    installs = [c for c in recipe(".venv/.installed").splitlines() if "pip install" in c]
    assert len(installs) == 3
    for command in installs:
        own = command.split("pip install")[1].split() == [
            "--no-deps",
            "--no-build-isolation",
            "-e",
            ".",
        ]
        assert own or "--require-hashes" in command


def test_the_conda_environment_has_the_locks_pins():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    [by_pip] = [part["pip"] for part in environment["dependencies"] if isinstance(part, dict)]
    assert by_pip == lock.locked_pins()


def test_accepted_advisories_are_of_locked_versions_and_say_why():
    locked = {(p.name, s.version) for p in PINS for s in p.specifier}
    for entry in advisories.accepted():
        assert set(entry) == {"id", "package", "version", "reason"}
        assert (entry["package"], entry["version"]) in locked, "look at the advisory anew"
        assert len(entry["reason"].split()) > 5


def test_a_version_that_the_advisory_database_does_not_know_is_no_clean_one():
    command = advisories.command("pip-audit")
    assert {"--strict", "--require-hashes", str(lock.LOCK)} <= set(command)


def test_the_licence_of_every_installed_package_is_known():
    rows = licences.licences()
    assert {row["package"] for row in rows} >= {name for name in HERE if name in {"torch", "pyiqa"}}
    assert [row["package"] for row in rows if not row["licence"] or not row["source"]] == []


@pytest.mark.parametrize("file", ["Dockerfile", "apptainer.def"])
def test_the_container_holds_the_same_lock(file):
    text = (ROOT / file).read_text()
    if file == "Dockerfile":
        assert "make .venv/.installed" in text and "pip install" not in text
        copied = re.findall(r"^COPY (.+) \S+$", text, re.MULTILINE)
        ignored = (ROOT / ".dockerignore").read_text().split()
        for name in " ".join(copied).split():
            top = name.split("/")[0]
            assert (ROOT / name).exists() and (top == "." or f"!{top}" in ignored), name
        for name in (n[1:] for n in ignored if n.startswith("!")):
            assert (ROOT / name).exists(), name
    else:
        assert "From: derainbench" in text and "pip" not in text
