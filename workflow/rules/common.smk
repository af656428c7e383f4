# The checked configuration and the look-ups that rules share.
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from snakemake.exceptions import WorkflowError

# Snakemake takes braces for wildcards, and Python the other one for the end of a path.
if odd := set("{}" + os.pathsep) & set(workflow.basedir):
    raise WorkflowError(
        f"{workflow.basedir}: cannot work in a folder with '{min(odd)}' in its path; move it"
    )
sys.path.insert(0, workflow.basedir)  # the harness is used in place, installed or not

from derainbench.catalog.job_resources import job_resources
from derainbench.catalog.model_cards import model_card
from derainbench.catalog.papers import read_paper
from derainbench.config import checks, schema
from derainbench.foundation import owner
from derainbench.foundation.errors import BenchError
from derainbench.results import expected
from derainbench.results.layout import layout_of
from derainbench.training.checkpoint_files import remove_finished
from derainbench.workflow import failures, recovery
from derainbench.workflow.fingerprints import fingerprint
from derainbench.workflow.image_digests import ImageDigests
from derainbench.workflow.verdict_summary import SUMMARY, verdict_summary

# Jobs call `python`: the one that runs Snakemake, unless a conda environment takes over. It imports
# the harness beside this workflow, whatever folder it runs in, and whatever is installed there.
os.environ.update(
    PATH=os.pathsep.join([str(Path(sys.executable).parent), os.getenv("PATH", "")]),
    PYTHONPATH=os.pathsep.join([workflow.basedir, os.getenv("PYTHONPATH", "")]).strip(os.pathsep),
    PYTHONSAFEPATH="1",
)

# Jobs end with this process, and this process with the one that started it, however these end. Jobs of
# a cluster have a keeper of their own.
if "SLURM_JOB_ID" not in os.environ:
    owner.end_with_owner()
os.environ[owner.OWNER] = owner.this_process()

if failures.WITHOUT in os.environ:  # trainings that diverged, see workflow/run.py
    config["without"] = json.loads(os.environ[failures.WITHOUT])

try:
    CONFIG = schema.parse(config, "configuration")
    checks.check_files(CONFIG)
    PAPERS = [read_paper(name) for name in CONFIG.paper_names]
    RESOURCES = job_resources()
except BenchError as error:
    raise WorkflowError(str(error)) from None

RESULTS = CONFIG.results
FILES = layout_of(CONFIG)  # where which result lies; wildcards stand for names
IMAGES = ImageDigests()
TRAINED = [n for n, r in CONFIG.runs.items() if r.train]
# One GPU per job where there is one; the profile's limit then keeps jobs from sharing it. The profile
# of a cluster says itself which rules ask for one: the machine that submits may have none.
GPU = int(CONFIG.device != "cpu" and shutil.which("nvidia-smi") is not None)


def one_of(names):
    """A wildcard constraint that admits exactly these names."""
    return "|".join(map(re.escape, names)) or "(?!)"


VARIANTS = [(run, variant) for run in CONFIG.runs for variant in CONFIG.runs[run].variants()]

# Those with weights, whose operations can be counted: all but images that others restored.
COUNTED = [(run, variant) for run, variant in VARIANTS if CONFIG.runs[run].counted]

# Runs of spiking models, and the data set on which their spikes are looked at.
SPIKING = {run: dataset for run, _, dataset in CONFIG.spiking()}

# Runs of spiking models and their counterparts, which spikingjelly's estimators are asked about.
ESTIMATED = [
    run
    for run in dict(COUNTED)
    if not CONFIG.runs[run].ablation
    and (
        model_card(CONFIG.runs[run].model).spiking
        or model_card(CONFIG.runs[run].model).counterpart_of
    )
]

# The papers' networks and their counterparts.
NETWORKS = list(dict.fromkeys(n for p in PAPERS for n in (p.network, p.counterpart) if n))


def sets_of(kind):
    """The data sets of one kind."""
    return [name for name, dataset in CONFIG.datasets.items() if dataset.kind == kind]


# Sets of the catalogue, by their folder under the data root, with the splits wanted (all: none).
FETCHED = {
    Path(CONFIG.dataset_folder(name)).name: CONFIG.datasets[name].splits or []
    for name in sets_of("catalogue")
}


# Stand-ins of a rehearsal, by their folder.
STAND_INS = {Path(CONFIG.dataset_folder(n)).name: CONFIG.datasets[n] for n in sets_of("stand-in")}


def acquired(dataset):
    """The dataset.json that a set is there with; nothing for a folder of the user's."""
    is_folder = CONFIG.datasets[dataset].kind == "folder"
    return [] if is_folder else f"{CONFIG.dataset_folder(dataset)}/dataset.json"


def images_of(dataset, *splits):
    """A digest of a set's images: an image that is replaced makes their readers run again."""
    wanted = splits or ("train", "val", "test")
    folders = dict.fromkeys(Path(CONFIG.split_folder(dataset, split)) for split in wanted)
    return IMAGES.of(*folders)


def restored_images(run, dataset):
    """A digest of the images of others that a run consists of."""
    return IMAGES.of(Path(CONFIG.restored_folder(run, dataset)))


def tested_images():
    """A digest of all test images of the configuration, which figures show some of."""
    return [images_of(dataset, "test") for dataset in CONFIG.tested()]


def processes(wildcards):
    """How many processes a run is trained by together."""
    return CONFIG.runs[wildcards.run].train.processes


def times_processes(asked):
    """A resource of a training for all its processes, from that for one."""
    return lambda w, **facts: processes(w) * asked.evaluate(w, **facts).value


def needs(rule):
    """Memory and time that a job of a rule asks a scheduler for; more on a further attempt."""
    asked = RESOURCES[rule]
    return {
        "mem_mb": lambda w, attempt: asked.memory(attempt),
        "runtime": lambda w, attempt: asked.time(CONFIG.judged_as, attempt),
    }


@cache
def training_splits(run):
    """The splits that a training reads."""
    train = CONFIG.runs[run].train
    selects_on_test = CONFIG.recipe(run).select_on == "test"
    return ("train", "val", *(["test"] if train.monitor or selects_on_test else []))


@cache
def code(verb, models=None):
    """What decides a verb's result besides arguments and inputs; see workflow/fingerprints.py."""
    parts = fingerprint(verb, models=models)
    return "; ".join(f"{part} {digest}" for part, digest in parts.items())


def run_code(verb):
    """The same of a verb on a run's model, as a look-up by wildcards."""
    return lambda w: code(verb, (CONFIG.runs[w.run].model,))


@cache
def training_code(run):
    """The same of a run's training."""
    spec = CONFIG.runs[run]
    parts = fingerprint("train", models=(spec.model,), recipe=CONFIG.recipe(run))
    return "; ".join(f"{part} {digest}" for part, digest in parts.items())


def rated_images(wildcards):
    """Folder of the rainy photographs of a set, or of those that a run restored."""
    if wildcards.method == "input":
        return f"{CONFIG.split_folder(wildcards.dataset, 'test')}/input"
    return f"{RESULTS}/scores/{wildcards.method}/{wildcards.dataset}/images"


def verify_arguments(wildcards):
    """What a set is held against."""
    entry, dataset = CONFIG.catalogue_name(wildcards.dataset), CONFIG.datasets[wildcards.dataset]
    parts = [f"--as {entry}"] if entry else []
    parts += ["--subset"] if getattr(dataset, "subset", False) else []
    parts += ["--stand-in"] if dataset.kind == "stand-in" else []
    parts += [f"--split {split}" for split in getattr(dataset, "splits", None) or ()]
    return " ".join(parts)


def recomposite_arguments(dataset):
    """Whose rain, on which photographs."""
    clean = CONFIG.dataset_folder(dataset.clean)
    parts = [f"--layers {shlex.quote(CONFIG.dataset_folder(dataset.layers))}/train"]
    parts += [f"--clean {shlex.quote(clean)}/{split}/input" for split in dataset.clean_splits]
    parts += [f"--count {dataset.count}"] if dataset.count else []
    return " ".join([*parts, f"--seed {dataset.seed}"])


def flags(option, values):
    """Repeated `--option key=value`, values as JSON, quoted for the shell."""
    return " ".join(f"--{option} {shlex.quote(f'{k}={json.dumps(v)}')}" for k, v in values.items())


def repeated(option, values):
    """Repeated `--option value`, quoted for the shell."""
    return " ".join(f"--{option} {shlex.quote(value)}" for value in values)


def weights_of(wildcards):
    """The weight file of a run's variant."""
    run = CONFIG.runs[wildcards.run]
    if run.train:
        return FILES.weights(wildcards.run, wildcards.variant)
    return os.path.join(CONFIG.weights_root, run.weights)


def inference_arguments(wildcards):
    """What evaluation is told of a run; trained weights carry their constructor arguments."""
    run = CONFIG.runs[wildcards.run]
    parts = [] if run.train else [flags("kwarg", run.kwargs)]
    parts += [f"--inference {run.inference}"] if run.inference else []
    parts += [f"--quantise {run.quantise}"] if run.quantise else []
    parts += [f"--layers {run.layers}"] if run.layers else []
    return " ".join(parts)


wildcard_constraints:
    dataset=one_of(CONFIG.datasets),
    run=one_of(CONFIG.runs),
    variant=r"seed-\d+|official",
    seed=r"\d+",


# Before Snakemake looks at any time.
if ahead := recovery.bring_back(
    [
        Path(RESULTS),
        *(Path(CONFIG.dataset_folder(name)) / "dataset.json" for name in CONFIG.datasets),
    ]
):
    print(
        f"derainbench: {ahead} files from a clock that was ahead are now of today", file=sys.stderr
    )

RUNNING = []  # the file that says that this workflow runs here


onstart:
    RUNNING.append(recovery.note_owner(Path.cwd(), os.environ[owner.OWNER]))
    recovery.sweep([Path(RESULTS), Path(".derainbench")])
    # Arguments that a model does not take: better now than after an hour of training. In a process
    # of its own, which imports torch in place of this one.
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(CONFIG.model_dump_json())
        file.flush()
        checked = subprocess.run(
            [sys.executable, "-m", "derainbench", "config", "check", file.name],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
        )
    if checked.returncode:
        raise WorkflowError(failures.said_by_check(checked.returncode, checked.stderr))


onerror:
    for file in RUNNING:
        file.unlink(missing_ok=True)
