"""Kills a workflow at random, again and again, and holds what it gives to an undisturbed run.

    python tools/killtest.py --kills 100 --out results/reference/endurance

One run is left alone. Another is killed at random moments with random signals, sent to its entry, to
Snakemake, to all processes or to a job, and each time started anew at once, by the same command. When
it has come to its end, its score tables, histories and weights are compared, and the next round begins
from nothing until the kills are used up. Nothing is cleared up by hand in between.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from derainbench.config import schema  # noqa: E402
from derainbench.foundation import provenance  # noqa: E402
from derainbench.foundation.files import write_json, write_text  # noqa: E402
from derainbench.results.layout import layout_of  # noqa: E402

SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
VICTIMS = ("entry", "snakemake", "everything", "job")
SHARE = 0.6  # of the time that a run in peace takes: the latest moment of a kill
PATIENCE = 120.0  # seconds until a run that was asked to stop counts as stuck


@dataclass(frozen=True)
class Kill:
    """One kill.

    Attributes:
        round: number of the run from nothing, from 1.
        after: seconds since the start.
        signal: its name.
        victim: "entry", "snakemake", "everything" or "job".
        running: the verb of the job that was hit or ran, if any.
        outlived: processes that were still there 15 seconds later, of those that were to end.
    """

    round: int
    after: float
    signal: str
    victim: str
    running: str
    outlived: int


class Workflow:
    """Runs of a configuration in a folder of its own.

    Args:
        configfile: the configuration.
        folder: to work in.
        cores: how many Snakemake may use.
    """

    def __init__(self, configfile: Path, folder: Path, cores: int) -> None:
        self.folder = folder
        self.config = schema.load(configfile)
        self.layout = layout_of(self.config)
        self.results = [
            *(self.layout.per_image(*evaluation) for evaluation in self.config.evaluations()),
            *(
                file
                for name, run in self.config.runs.items()
                if run.train
                for variant in run.variants()
                for file in (
                    self.layout.weights(name, variant),
                    self.layout.training(name, variant) / "history.csv",
                )
            ),
        ]
        self.command = [
            *(sys.executable, "-m", "derainbench.workflow", "--cores", str(cores)),
            *("--snakefile", str(ROOT / "Snakefile"), "--configfile", str(configfile), "--"),
            *map(str, self.results),
        ]

    def start(self) -> subprocess.Popen[str]:
        """The command that people type, in a session of its own."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return subprocess.Popen(
            self.command,
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def digests(self) -> dict[str, str]:
        """SHA-256 of every result, the times in histories left out."""
        found = {}
        for file in self.results:
            content = (self.folder / file).read_bytes()
            if file.name == "history.csv":
                rows = pd.read_csv(self.folder / file, dtype=str).drop(columns="seconds")
                content = rows.to_csv(index=False).encode()
            found[str(file)] = hashlib.sha256(content).hexdigest()
        return found


def processes_of(entry: psutil.Process) -> list[psutil.Process]:
    """A run's processes, the entry first."""
    try:
        return [entry, *entry.children(recursive=True)]
    except psutil.Error:
        return [entry]


def verb(process: psutil.Process) -> str:
    """The verb of a job; "" for all other processes."""
    try:
        words = process.cmdline()
    except psutil.Error:
        return ""
    return words[3] if words[1:3] == ["-m", "derainbench"] else ""


def kill(run: subprocess.Popen[str], draw: random.Random) -> tuple[str, str, str, int]:
    """Kills some of a run's processes; gives signal, victim, the running verb, and who outlived it."""
    number, victim = draw.choice(SIGNALS), draw.choice(VICTIMS)
    entry, *below = everyone = processes_of(psutil.Process(run.pid))
    jobs = [p for p in below if verb(p)]
    running = verb(jobs[0]) if jobs else ""
    match victim:
        case "snakemake" if below:
            hit = below[:1]
        case "job" if jobs:
            hit = jobs[:1]
        case "everything":
            hit = everyone
        case _:
            victim, hit = "entry", [entry]
    for process in hit:
        with contextlib.suppress(psutil.Error):  # it may have just ended
            process.send_signal(number)
    ends = victim in ("entry", "everything")
    ends |= victim == "snakemake" and number in (signal.SIGKILL, signal.SIGHUP)
    _, alive = psutil.wait_procs(everyone, timeout=15) if ends else ([], [])
    return number.name, victim, running, len(alive)


def test(configfile: Path, kills: int, cores: int, seed: int) -> tuple[list[Kill], dict]:
    """Kills a configuration this many times; gives the kills and what was found."""
    draw = random.Random(seed)
    done: list[Kill] = []
    facts: dict = collections.Counter(rounds=0, compared=0, different=0, stuck=0, starts=0)
    with tempfile.TemporaryDirectory(prefix="killtest-") as scratch:
        whole = Workflow(configfile, Path(scratch) / "whole", cores)
        began = time.monotonic()
        run = whole.start()
        said = run.communicate()[1]
        if run.returncode:
            raise SystemExit(f"the undisturbed run failed: {said}")
        length = time.monotonic() - began
        expected = whole.digests()
        print(f"undisturbed: {length:.0f} s, {len(expected)} files", flush=True)
        while len(done) < kills:
            facts["rounds"] += 1
            shutil.rmtree(Path(scratch) / "killed", ignore_errors=True)
            killed = Workflow(configfile, Path(scratch) / "killed", cores)
            while True:
                facts["starts"] += 1
                run = killed.start()
                after = draw.uniform(0, SHARE * length) if len(done) < kills else None
                try:
                    said = run.communicate(timeout=after)[1]
                    ended_alone = True
                except subprocess.TimeoutExpired:
                    ended_alone = False
                    name, victim, running, outlived = kill(run, draw)
                    try:
                        said = run.communicate(timeout=PATIENCE)[1]
                    except subprocess.TimeoutExpired:
                        facts["stuck"] += 1
                        run.kill()
                        said = run.communicate()[1]
                    done.append(Kill(facts["rounds"], after, name, victim, running, outlived))
                    print(len(done), asdict(done[-1]), flush=True)
                cleared = [line for line in said.splitlines() if "killed" in line or "job" in line]
                facts["cleared"] += len([c for c in cleared if c.startswith("derainbench:")])
                facts["lock_exceptions"] += said.count("LockException")
                facts["tracebacks"] += said.count("Traceback (most recent call last)")
                if ended_alone:
                    if run.returncode:
                        raise SystemExit(f"a run failed that nobody killed: {said}")
                    break
            found = killed.digests()
            facts["compared"] += len(found)
            different = [name for name in found if found[name] != expected[name]]
            facts["different"] += len(different)
            leftovers = [p for p in killed.folder.rglob(".*@*") if p.is_file()]
            facts["leftovers"] += len(leftovers)
            print(f"round {facts['rounds']}: different {different}, left {leftovers}", flush=True)
    return done, dict(facts) | {"seconds_undisturbed": round(length, 1)}


DOC = ROOT / "docs" / "endurance.md"
REFERENCE = ROOT / "results" / "reference" / "endurance"
_BLOCK = re.compile(r"(<!-- by tools/killtest.py.*?-->\n).*(<!-- end -->)", re.DOTALL)


def described(folder: Path) -> str:
    """What a kill test found, as a sentence and a table in Markdown."""
    facts = json.loads((folder / "kills.json").read_text("utf-8"))
    kills = pd.read_csv(folder / "kills.csv")
    table = kills.groupby(["victim", "signal"]).size().unstack(fill_value=0)
    lines = [
        f"| killed | {' | '.join(table.columns)} |",
        f"|---|{'---:|' * len(table.columns)}",
        *(
            f"| {v} | {' | '.join(map(str, row))} |"
            for v, row in zip(table.index, table.values, strict=True)
        ),
    ]
    rounds = facts["rounds"]
    found = (
        f"{facts['kills']} kills of the configuration `{facts['configuration']}` over {rounds} "
        f"run{'s' * (rounds > 1)} from nothing, which takes {facts['seconds_undisturbed']:.0f} s in "
        f"peace: {facts['compared']} score tables, histories and weights compared, "
        f"{facts.get('different', 0)} different; {facts.get('lock_exceptions', 0)} starts refused for a "
        f"lock, {facts.get('stuck', 0)} runs stuck, {int(kills['outlived'].sum())} processes that outlived "
        f"their run, {facts.get('tracebacks', 0)} tracebacks, {facts.get('leftovers', 0)} temporaries left."
    )
    return "\n".join(["", found, "", *lines, ""])


def write_doc() -> None:
    """Puts what the committed test found into docs/endurance.md."""
    text = DOC.read_text("utf-8")
    block = described(REFERENCE)
    write_text(DOC, _BLOCK.sub(lambda match: f"{match[1]}{block}{match[2]}", text))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--configfile", type=Path, default=ROOT / "tests" / "killed.yaml")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="folder of kills.csv and kills.json")
    parser.add_argument("--doc", action="store_true", help="only write docs/endurance.md")
    asked = parser.parse_args()
    if asked.doc:
        write_doc()
        return
    configfile = asked.configfile.resolve()
    kills, facts = test(configfile, asked.kills, asked.cores, asked.seed)
    print(facts)
    if asked.out:
        table = asked.out / "kills.csv"
        write_text(table, pd.DataFrame(map(asdict, kills)).round(2).to_csv(index=False))
        facts |= {"kills": len(kills), "configuration": schema.load(configfile).name}
        write_json(asked.out / "kills.json", facts)
        inputs = {"configuration": hashlib.sha256(configfile.read_bytes()).hexdigest()}
        provenance.write_record(table, asked.out / "kills.json", inputs=inputs, seed=asked.seed)
    wrong = ("different", "stuck", "lock_exceptions", "tracebacks", "leftovers")
    sys.exit(int(any(facts.get(name) for name in wrong)))


if __name__ == "__main__":
    main()
