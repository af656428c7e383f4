"""What a person sees of a run: stages, how far they are, the verdicts; the log is in a file."""

import csv
import io
import json
import re
import subprocess
import sys
from contextlib import nullcontext

import pytest
from helpers import ROOT

from derainbench.catalog.verdicts import Outcome
from derainbench.workflow import failures, fork_server, recovery, run, supervision
from derainbench.workflow.verdict_summary import SUMMARY, verdict_summary

OUTPUT = """Using workflow specific profile profiles/default for setting default command line arguments.
Building DAG of jobs...
Job stats:
job             count
------------  -------
synthesise          1
train               2
page                1
all                 1
total               5

Execute 1 jobs...
[Wed Nov 25 21:11:25 2026]
localrule synthesise:
    output: results/x/made/rain/dataset.json
    jobid: 3
[Wed Nov 25 21:11:29 2026]
Finished jobid: 3 (Rule: synthesise)
1 of 5 steps (20%) done
localrule train:
    jobid: 2
Finished jobid: 2 (Rule: train)
2 of 5 steps (40%) done
"""
END = """Finished jobid: 4 (Rule: train)
Finished jobid: 1 (Rule: page)
Finished jobid: 0 (Rule: all)
5 of 5 steps (100%) done
| Report: results/x/report/index.html
Complete log(s): /tmp/x.snakemake.log
"""
FAILURE = """Error in rule train:
    message: None
    jobid: 4
    log: results/x/logs/train.log (check log file(s) for error details)
Exiting because a job execution failed. Look below for error messages
"""
KILLED = (
    "derainbench: error: train (results/x/logs/train.log): ended without a word: killed, perhaps for "
    f"want of memory; {failures.LARGER}\n"
)


SNAKEMAKE_ENDED = "derainbench: error: Snakemake was ended by signal {}; the same command goes on\n"


@pytest.fixture(autouse=True)
def without_forks(monkeypatch):
    """No process that imports everything, for jobs that are none."""
    monkeypatch.setattr(fork_server, "serving", lambda: nullcontext({}))


def test_every_rule_belongs_to_a_stage():
    text = "".join(file.read_text() for file in (ROOT / "workflow" / "rules").glob("*.smk"))
    rules = re.findall(r"^(?:rule|checkpoint) (\w+):", text, re.MULTILINE)
    assert run.stages().keys() == set(rules)
    assert list(dict.fromkeys(run.stages().values())) == [
        "data", "train", "evaluate", "energy", "report", "check",
    ]  # fmt: skip


def test_the_output_is_followed():
    shown = io.StringIO()
    followed, seen = run.follow(io.StringIO(OUTPUT), shown)
    assert dict(followed.total) == {"data": 1, "train": 2, "report": 1}
    assert dict(followed.done) == {"data": 1, "train": 1}
    assert len(seen) == OUTPUT.count("\n")
    lines = shown.getvalue().splitlines()
    assert lines[0] == "data 0/1, train 0/2, report 0/1"
    assert lines[-1].startswith("data 1/1, train 1/2, report 0/1, at least a minute left")
    assert len(lines) == 3


def test_on_a_terminal_every_stage_has_a_bar():
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    shown = Terminal()
    run.follow(io.StringIO(OUTPUT + END), shown)
    assert all(f"{stage} " in shown.getvalue() for stage in ("data", "train", "report"))
    assert "2/2" in shown.getvalue() and "rule" not in shown.getvalue()


def test_the_time_left_follows_from_the_jobs_of_each_rule():
    followed = run.Followed({"synthesise": "data", "train": "train", "evaluate": "evaluate"})
    said = []

    def read(now: float, *lines: str) -> None:
        for line in lines:
            if followed.read(line, now):
                said.append(run.time_left(followed, now))

    read(0, "Job stats:", "synthesise 10", "train 3", "evaluate 3", "all 1", "total 17")
    assert said == [""]
    read(0, "localrule synthesise:", "    jobid: 1")
    read(6, "Finished jobid: 1 (Rule: synthesise)")
    assert (
        said.pop() == "at least a minute left"
    )  # nine of six seconds; of the others nothing is known
    read(6, "localrule train:", "    jobid: 2")
    for job in range(11, 20):
        read(6 + 6 * (job - 11), "localrule synthesise:", f"    jobid: {job}")
        read(12 + 6 * (job - 11), f"Finished jobid: {job} (Rule: synthesise)")
    read(606, "Finished jobid: 2 (Rule: train)")
    # Two trainings of 600 s; of 606 s, jobs ran 660.
    assert said.pop() == "at least 18 min left"
    read(606, "localrule train:", "    jobid: 3", "localrule evaluate:", "    jobid: 4")
    read(906, "Finished jobid: 4 (Rule: evaluate)")
    # One training, half of another, two evaluations of 300 s: 1500 s; of 906 s, jobs ran 960.
    assert said.pop() == "about 24 min left"
    read(2000, "Finished jobid: 3 (Rule: train)", "localrule train:", "    jobid: 5")
    read(2000, *(f"Finished jobid: {job} (Rule: evaluate)" for job in (6, 7)))
    read(2900, "Finished jobid: 5 (Rule: train)")
    assert said.pop() == ""


class Snakemake:
    """Stands for the process: says something and ends with a status."""

    def __init__(self, text: str, status: int) -> None:
        self.stdout, self.status = io.StringIO(text), status

    def wait(self) -> int:
        return self.status

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(
    ("text", "status", "stdout", "stderr"),
    [
        (OUTPUT + END, 0, "Report: results/x/report/index.html\nWhole log: /tmp/x.snakemake.log\n", ""),
        (OUTPUT + FAILURE, 1, "", KILLED),
        ("Nothing to be done (all requested files are present).\n", 0, "Nothing to be done", ""),
        ("something unforeseen\n", 1, "", "something unforeseen\n"),
        ("Building DAG of jobs...\n", -9, "", SNAKEMAKE_ENDED.format("9 (SIGKILL)")),
        ("Building DAG of jobs...\n", 130, "", SNAKEMAKE_ENDED.format("2 (SIGINT)")),
        (OUTPUT + FAILURE, -9, "", KILLED),
    ],
)  # fmt: skip
def test_the_end_is_said(monkeypatch, capsys, text, status, stdout, stderr):
    monkeypatch.setattr(supervision, "snakemake", lambda *_: Snakemake(text, status))
    monkeypatch.setattr(recovery, "clear", lambda _: None)
    monkeypatch.setattr(fork_server, "serving", lambda: nullcontext({}))
    assert run.main(["--cores", "1"]) == status
    out, err = capsys.readouterr()
    assert out.startswith(stdout) and err.endswith(stderr)


def test_a_lock_of_a_living_run_is_said_in_a_line(monkeypatch, capsys):
    text = "LockException:\nError: Directory cannot be locked.\nsnakemake --unlock\n"
    monkeypatch.setattr(supervision, "snakemake", lambda *_: Snakemake(text, 1))
    monkeypatch.setattr(recovery, "clear", lambda _: None)
    monkeypatch.setattr(recovery, "living", lambda _: ["process 7, since noon, in /x"])
    assert run.main(["--cores", "1"]) == 1
    said = "derainbench: error: another run works here: process 7, since noon, in /x\n"
    assert capsys.readouterr() == ("", said)


def test_a_wrong_configuration_is_said_in_snakemakes_words(tmp_path):
    (tmp_path / "x.yaml").write_text(json.dumps({"name": "x"}))
    arguments = ["--cores", "1", "--configfile", str(tmp_path / "x.yaml"), "-n"]
    done = subprocess.run(
        [sys.executable, "-m", "derainbench.workflow", *arguments],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode != 0
    assert "configuration: label: Field required" in done.stderr
    assert "Traceback" not in done.stderr


def test_verdicts_are_five_lines_and_name_the_claims(tmp_path):
    rows = [("energy", "contradicted"), ("energy", "reproduced"), ("energy", "reproduced")]
    rows += [(f"claim-number-{i}", "undecided") for i in range(20)]
    with open(tmp_path / "claims.csv", "w", newline="") as stream:
        csv.writer(stream).writerows([("claim", "verdict"), *rows])
    lines = verdict_summary(tmp_path / "index.html", tmp_path / "claims.csv")
    assert lines[0] == f"Report: {tmp_path}/index.html"
    assert [line[2:19].strip() for line in lines[1:]] == [str(outcome) for outcome in Outcome]
    assert lines[1].split() == ["reproduced", "1", "energy"]
    assert " 20 " in lines[4] and lines[4].endswith("…") and len(lines[4]) <= 100
    assert not any(line.startswith(SUMMARY) for line in lines)
