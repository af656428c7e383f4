"""Kills a workflow at random, again and again, and holds what it gives to an undisturbed run.

    python tools/killtest.py --kills 100 --out results/reference/endurance
    python tools/kills_page.py

One run is left alone. Another is killed at random moments with random signals, sent to its entry, to
Snakemake, to all processes or to a job. One that goes on is killed again, or must end by itself; one that
has ended is started anew at once, by the same command. When it has come to its end, its score tables,
histories and weights are compared, and the next round begins
from nothing until the kills are used up. Nothing is cleared up by hand in between.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import hashlib
import math
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
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
VICTIMS = ("entry", "snakemake", "everything", "job", "fork server")
FORK_SERVER = "derainbench.workflow.fork_server"
SHARE = 0.6  # of the time that a run in peace takes: the latest moment of a kill, if not told
LINGERING = 60.0  # seconds after which a process counts as having outlived its run
PATIENCE = 120.0  # seconds until a run that was asked to stop counts as stuck
WHOLE = 3  # times the run in peace, and PATIENCE: what a start has until it counts as stuck
LEFT_ALONE = 0.25  # of runs that go on after a kill: they must come to an end by themselves


@dataclass(frozen=True)
class Kill:
    """One kill.

    Attributes:
        round: number of the run from nothing, from 1.
        after: seconds since the start, or since the kill before it that the run survived.
        signal: its name.
        victim: "entry", "snakemake", "everything", "job" or "fork server".
        running: the verb of the job that was hit or ran, if any.
        gone_after: seconds until all processes had ended; not a number where the run is to go on.
        outlived: those that were still there after a minute.
    """

    round: int
    after: float
    signal: str
    victim: str
    running: str
    gone_after: float
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
            preexec_fn=_hear_of_signals,
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


def _hear_of_signals() -> None:
    """Has a run notice signals that this test may have been started to ignore: ``nohup``, ``&``."""
    for number in {*SIGNALS} - {signal.SIGKILL}:
        signal.signal(number, signal.SIG_DFL)


def processes_of(entry: psutil.Process) -> list[psutil.Process]:
    """A run's processes, the entry first."""
    try:
        return [entry, *entry.children(recursive=True)]
    except psutil.Error:
        return [entry]


def _words(process: psutil.Process) -> list[str]:
    """A process's command line; none if it has just ended."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def verb(process: psutil.Process) -> str:
    """The verb of a job; "" for all other processes."""
    words = _words(process)
    return words[3] if words[1:3] == ["-m", "derainbench"] else ""


def kill(
    run: subprocess.Popen[str], draw: random.Random, number_of_round: int, after: float
) -> Kill:
    """Kills some of a run's processes, and waits for all to end where the run ends of it."""
    number, victim = draw.choice(SIGNALS), draw.choice(VICTIMS)
    entry, *below = everyone = processes_of(psutil.Process(run.pid))
    jobs = [p for p in below if verb(p)]
    running = verb(jobs[0]) if jobs else ""
    match victim:
        case "snakemake" if found := [p for p in below if "snakemake" in _words(p)[:5]]:
            hit = found[:1]
        case "fork server" if found := [p for p in below if _words(p)[2:3] == [FORK_SERVER]]:
            hit = found[:1]
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
    began = time.monotonic()
    if not ends:
        return Kill(number_of_round, after, number.name, victim, running, math.nan, 0)
    _, alive = psutil.wait_procs(everyone, timeout=LINGERING)
    gone_after = time.monotonic() - began
    return Kill(number_of_round, after, number.name, victim, running, gone_after, len(alive))


def test(
    configfile: Path, kills: int, cores: int, seed: int, share: float, until: float
) -> Iterator[tuple[list[Kill], dict]]:
    """Kills a configuration this many times; gives all kills and what was found after every round.

    Args:
        configfile: the configuration.
        kills: how many.
        cores: how many Snakemake may use.
        seed: of the moments, signals and victims.
        share: the latest moment of a kill, of the time that a run in peace takes.
        until: seconds after which no further kill is begun.
    """
    draw = random.Random(seed)
    done: list[Kill] = []
    loads: list[float] = []
    facts: dict = collections.Counter(rounds=0, compared=0, different=0, stuck=0, starts=0)
    with tempfile.TemporaryDirectory(prefix="killtest-") as scratch:
        whole = Workflow(configfile, Path(scratch) / "whole", cores)
        started = began = time.monotonic()
        run = whole.start()
        said = run.communicate()[1]
        if run.returncode:
            raise SystemExit(f"the undisturbed run failed: {said}")
        length = time.monotonic() - began
        expected = whole.digests()
        print(f"undisturbed: {length:.0f} s, {len(expected)} files", flush=True)

        def wanted() -> bool:
            return len(done) < kills and time.monotonic() - started < until

        while wanted():
            facts["rounds"] += 1
            shutil.rmtree(Path(scratch) / "killed", ignore_errors=True)
            killed = Workflow(configfile, Path(scratch) / "killed", cores)
            while True:
                facts["starts"] += 1
                run, hit, ends, left_alone = killed.start(), False, False, False
                limit = time.monotonic() + PATIENCE + WHOLE * length
                while True:
                    again = wanted() and not ends and not left_alone
                    after = draw.uniform(0, share * length) if again else math.inf
                    patience = PATIENCE if ends else max(0.0, limit - time.monotonic())
                    try:
                        said = run.communicate(timeout=min(after, patience))[1]
                        break
                    except subprocess.TimeoutExpired:
                        if after >= patience:
                            facts["stuck"] += 1
                            run.kill()
                            said = run.communicate()[1]
                            hit = True
                            break
                    loads.append(os.getloadavg()[0])
                    done.append(kill(run, draw, facts["rounds"], after))
                    hit, ends = True, not math.isnan(done[-1].gone_after)
                    left_alone = draw.random() < LEFT_ALONE
                    print(len(done), asdict(done[-1]), flush=True)
                cleared = [line for line in said.splitlines() if "killed" in line or "job" in line]
                facts["cleared"] += len([c for c in cleared if c.startswith("derainbench:")])
                facts["lock_exceptions"] += said.count("LockException")
                facts["tracebacks"] += said.count("Traceback (most recent call last)")
                if "Traceback" in said or "LockException" in said:
                    print(said, flush=True)  # what it was, for whoever mends it
                if not hit:
                    if run.returncode:
                        raise SystemExit(f"a run failed that nobody killed: {said}")
                    break
            digests = killed.digests()
            facts["compared"] += len(digests)
            different = [name for name in digests if digests[name] != expected[name]]
            facts["different"] += len(different)
            leftovers = [p for p in killed.folder.rglob(".*@*") if p.is_file()]
            facts["leftovers"] += len(leftovers)
            print(f"round {facts['rounds']}: different {different}, left {leftovers}", flush=True)
            machine = {"cores": os.cpu_count(), "load": round(statistics.mean(loads or [0.0]), 1)}
            yield done, dict(facts) | machine | {"seconds_undisturbed": round(length, 1)}


def write(out: Path, kills: list[Kill], facts: dict, configfile: Path, seed: int) -> None:
    """Keeps what was found so far, with its record."""
    table = out / "kills.csv"
    write_text(table, pd.DataFrame(map(asdict, kills)).round(2).to_csv(index=False))
    facts = facts | {"kills": len(kills), "configuration": schema.load(configfile).name}
    write_json(out / "kills.json", facts)
    inputs = {"configuration": hashlib.sha256(configfile.read_bytes()).hexdigest()}
    provenance.write_record(table, out / "kills.json", inputs=inputs, seed=seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--configfile", type=Path, default=ROOT / "tests" / "killed.yaml")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--share", type=float, default=SHARE, help="of a run: the latest kill")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="until the last kill")
    parser.add_argument("--out", type=Path, help="folder of kills.csv and kills.json")
    asked = parser.parse_args()
    configfile = asked.configfile.resolve()
    facts: dict = {}
    for kills, facts in test(
        configfile, asked.kills, asked.cores, asked.seed, asked.share, 60 * asked.minutes
    ):
        if asked.out:  # after every round: a test that is broken off has found something, too
            write(asked.out, kills, facts, configfile, asked.seed)
    print(facts)
    wrong = ("different", "stuck", "lock_exceptions", "tracebacks", "leftovers")
    sys.exit(int(any(facts.get(name) for name in wrong)))


if __name__ == "__main__":
    main()
