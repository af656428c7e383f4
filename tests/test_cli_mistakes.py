"""A mistake in the arguments of a long-running verb ends in one line and touches nothing."""

import pytest
from helpers import noise, refusal, save, tree


@pytest.fixture
def arguments(paired_set, prn_weights, tmp_path):
    """Arguments of the verbs that would work, by name, to be changed one at a time."""
    data = paired_set(splits={"train": 4, "val": 2, "test": 2}, size=(20, 24))
    image = save(tmp_path / "rainy.png", noise(20, 24))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("precious")
    short = ["--set=epochs=1", "--set=warmup_epochs=0", "--set=crop=16", "--set=val_crop=16"]
    weights = {"--model": "prn_r", "--weights": prn_weights, "--out": tmp_path / "out"}
    options = {
        "train": ({"--model": "prn_r", "--data": data, "--out": tmp_path / "out"}, short),
        "derain": (weights, [image]),
        "evaluate": ({**weights, "--data": data / "test"}, []),
        "energy": ({**weights, "--data": data / "test"}, ["--size=16", "--images=1"]),
    }

    def build(verb, *more, **changes):
        values, rest = options[verb]
        values = values | {f"--{k}": v for k, v in changes.items()}
        return [verb, *(str(part) for pair in values.items() for part in pair), *rest, *more]

    return build


@pytest.mark.parametrize("verb", ["train", "derain", "evaluate", "energy"])
def test_right_arguments_work(cli, arguments, verb, tmp_path):
    done = cli(*arguments(verb))
    assert done.code == 0
    assert done.stdout
    assert len(tree(tmp_path / "out")) > 1


MISTAKES = {
    "unknown model": ({"model": "prenett"}, [], "did you mean 'prenet'"),
    "impossible argument": ({}, ["--kwarg=recurrent_iter=0"], "recurrent_iter"),
    "no such device": ({"device": "cuda:99"}, [], "device 'cuda:99'"),
    "misspelt device": ({"device": "gpu"}, [], "device 'gpu'"),
}
MISTAKES_WITH_WEIGHTS = {
    "argument of other weights": ({}, ["--kwarg=recurrent_iter=2"], "was trained with"),
    "missing weights": ({"weights": "none.pth"}, [], "none.pth: no such weight file"),
    "weights of another model": ({"model": "prenet"}, [], "weights of 'prn_r', not of 'prenet'"),
    "text as weights": ({"weights": __file__}, [], __file__),
}
MISTAKES_WITH_DATA = {"missing data": ({"data": "nowhere"}, [], "nowhere")}
MISTAKES_OF_TRAINING = {
    "unknown argument": ({}, ["--kwarg=recurent_iter=2"], "did you mean 'recurrent_iter'"),
    "device without memory": ({"device": "meta"}, [], "device 'meta'"),
    "misspelt field": ({}, ["--set=epoch=3"], "did you mean 'epochs'"),
    "field out of range": ({}, ["--set=epochs=0"], "epochs"),
    "field of another kind": ({}, ["--set=epochs=many"], "epochs"),
    "unknown recipe": ({"config": "esdnett"}, [], "did you mean 'esdnet'"),
    "missing recipe": ({"config": "none.yaml"}, [], "none.yaml: cannot be read"),
    "crop beyond the images": ({}, ["--set=crop=64"], "smaller than the 64x64 crop"),
}
OF_VERB = {
    "train": MISTAKES | MISTAKES_WITH_DATA | MISTAKES_OF_TRAINING,
    "derain": MISTAKES | MISTAKES_WITH_WEIGHTS,
    "evaluate": MISTAKES | MISTAKES_WITH_WEIGHTS | MISTAKES_WITH_DATA,
    "energy": MISTAKES | MISTAKES_WITH_WEIGHTS | MISTAKES_WITH_DATA,
}


@pytest.mark.parametrize(
    ("verb", "mistake"), [(verb, name) for verb, mistakes in OF_VERB.items() for name in mistakes]
)
def test_a_mistake_ends_with_1_and_leaves_the_folder_alone(
    cli, arguments, verb, mistake, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    changes, more, reason = OF_VERB[verb][mistake]
    before = tree(tmp_path)
    assert reason in refusal(cli(*arguments(verb, *more, **changes)), 1)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("verb", ["train", "derain", "evaluate", "energy"])
def test_an_output_folder_that_is_a_file_is_refusal(cli, arguments, verb, tmp_path):
    done = cli(*arguments(verb, out=tmp_path / "out" / "mine.txt"))
    assert done.code == 1  # with lines on progress before the last one
    assert done.stderr.splitlines()[-1].startswith(f"derainbench: error: {tmp_path}/out/mine.txt")
    assert (tmp_path / "out" / "mine.txt").read_text() == "precious"
