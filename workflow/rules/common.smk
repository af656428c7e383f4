# The checked configuration and the look-ups that rules share.
import json
import os
import re
import shlex
import shutil
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

sys.path.insert(0, workflow.basedir)  # the harness is used in place, installed or not

from derainbench import config as bench_config
from derainbench import sources
from derainbench.errors import BenchError

# Jobs call `python`: the one that runs Snakemake, unless a conda environment takes over.
os.environ.update(PATH=os.pathsep.join([str(Path(sys.executable).parent), os.getenv("PATH", "")]))

try:
    CONFIG = bench_config.parse(config, "configuration")
    bench_config.check_files(CONFIG)
except BenchError as error:
    raise WorkflowError(str(error)) from None

RESULTS = CONFIG.results
TRAINED = [n for n, r in CONFIG.runs.items() if r.train]
# One GPU per job where there is one; the profile's limit then keeps jobs from sharing it.
GPU = int(CONFIG.device != "cpu" and shutil.which("nvidia-smi") is not None)


def one_of(names):
    """A wildcard constraint that admits exactly these names."""
    return "|".join(map(re.escape, names)) or "(?!)"


VARIANTS = [(run, variant) for run in CONFIG.runs for variant in CONFIG.runs[run].variants()]

# Runs of spiking models, and the data set on which their spikes are looked at.
SPIKING = {run: dataset for run, _, dataset in CONFIG.spiking()}

# Runs of spiking models and their twins, which spikingjelly's energy estimators are asked about.
ESTIMATED = [
    run
    for run in CONFIG.runs
    if not CONFIG.runs[run].ablation
    and (sources.is_spiking(CONFIG.runs[run].model) or sources.twin_of(CONFIG.runs[run].model))
]


def sets_of(kind):
    """The data sets of one kind."""
    return [name for name, dataset in CONFIG.datasets.items() if dataset.kind == kind]


# Sets of the catalogue, by their folder under the data root, with the splits wanted (all: none).
FETCHED = {
    Path(CONFIG.dataset_folder(name)).name: CONFIG.datasets[name].splits or []
    for name in sets_of("catalogue")
}


def acquired(dataset):
    """What stands for a set's images being there: a folder of the user's, or a dataset.json."""
    folder = CONFIG.dataset_folder(dataset)
    return folder if CONFIG.datasets[dataset].kind == "folder" else f"{folder}/dataset.json"


def verified(dataset):
    """A set's findings. To verify again is no reason to train again: only new images are."""
    return ancient(f"{RESULTS}/data/{dataset}/dataset.json")


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
    parts += [f"--split {split}" for split in getattr(dataset, "splits", None) or ()]
    return " ".join(parts)


def recomposite_arguments(dataset):
    """Whose rain, on which photographs."""
    clean = CONFIG.dataset_folder(dataset.clean)
    parts = [f"--layers {shlex.quote(CONFIG.dataset_folder(dataset.layers))}/train"]
    parts += [f"--clean {shlex.quote(clean)}/{split}/input" for split in dataset.clean_splits]
    parts += [f"--count {dataset.count}"] if dataset.count else []
    return " ".join([*parts, f"--seed {dataset.seed}"])


def code(stage, run=None):
    """Source files of a stage, and of a run's model, relative to the working directory."""
    files = sources.of_stage(stage)
    if run:
        files += sources.of_model(CONFIG.runs[run].model)
    if run and stage == "train":
        files += sources.of_recipe(CONFIG.runs[run].train.recipe)
    return [os.path.relpath(f) for f in files]


def flags(option, values):
    """Repeated `--option key=value`, values as JSON, quoted for the shell."""
    return " ".join(f"--{option} {shlex.quote(f'{k}={json.dumps(v)}')}" for k, v in values.items())


def weights_of(wildcards):
    """The weight file of a run's variant."""
    run = CONFIG.runs[wildcards.run]
    if run.train:
        return f"{RESULTS}/runs/{wildcards.run}/{wildcards.variant}/model.safetensors"
    return os.path.join(CONFIG.weights_root, run.weights)


def inference_arguments(wildcards):
    """What evaluation is told of a run; trained weights carry their constructor arguments."""
    run = CONFIG.runs[wildcards.run]
    parts = [] if run.train else [flags("kwarg", run.kwargs)]
    parts += [f"--inference {run.inference}"] if run.inference else []
    parts += [f"--quantise {run.quantise}"] if run.quantise else []
    return " ".join(parts)


wildcard_constraints:
    dataset=one_of(CONFIG.datasets),
    run=one_of(CONFIG.runs),
    variant=r"seed-\d+|official",
    seed=r"\d+",


onstart:
    # Arguments that a model does not take: better now than after an hour of training.
    try:
        bench_config.check_models(CONFIG)
    except BenchError as error:
        raise WorkflowError(str(error)) from None
