"""Fact cards of the models: origin, licence, training, published scores, official weights.

One file per model in ``catalog/models/``, under the registry's name; torch is not imported here.
A fact that nobody has found stays empty; every card names the sources of the others.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Annotated, Any, Literal

import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from derainbench import published
from derainbench.data.catalogue import DriveFile, HttpMirror, ManualMirror
from derainbench.errors import BenchError
from derainbench.settings import check
from derainbench.sources import known_model

_FOLDER = resources.files("derainbench.catalog")

Source = Annotated[HttpMirror | DriveFile | ManualMirror, Field(discriminator="kind")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Paper(_Strict):
    """The paper that a network is from.

    Attributes:
        authors: family names in order, separated by commas.
        arxiv: number such as "1901.09221".
        url: of the publisher, where neither arXiv number nor DOI is known.
    """

    authors: str
    title: str
    venue: str
    year: int = Field(ge=1980)
    arxiv: str | None = Field(None, pattern=r"^\d{4}\.\d{4,5}$")
    doi: str | None = Field(None, pattern=r"^10\.\d{4,}/\S+$")
    url: str | None = None

    @property
    def short(self) -> str:
        """``Ren et al., CVPR 2019, arXiv 1901.09221``."""
        where = f"arXiv {self.arxiv}" if self.arxiv else self.doi and f"doi {self.doi}"
        parts = (f"{self.authors.split(',')[0]} et al.", f"{self.venue} {self.year}", where)
        return ", ".join(part for part in parts if part)


class Code(_Strict):
    """The official code.

    Attributes:
        read_at: commit (shortened) at which the facts of the card were read.
        licence: "none stated" where there is none to be found.
        licence_source: where the licence is stated, or what was searched for it.
        official: False for a third party's port.
    """

    repository: str
    read_at: str | None = None
    licence: str
    licence_source: str
    official: bool = True


class Input(_Strict):
    """What the official network is fed; ours take RGB in [0,1] and convert by themselves.

    Attributes:
        side: the only height and width it takes, pixels; larger images are tiled.
    """

    range: Literal["0-1", "0-255"] = "0-1"
    channels: Literal["RGB", "BGR"] = "RGB"
    side: int | None = Field(None, ge=1)
    note: str = ""


class Training(_Strict):
    """How the authors train, in words.

    Attributes:
        recipe: file of ``catalog/recipes/`` with the same settings, without extension.
        task: what the settings are for; anything but deraining is said here.
        source: file and commit that the words were read in.
    """

    recipe: str | None = None
    task: str = "deraining"
    optimiser: str | None = None
    rate: str | None = None
    batch: str | None = None
    crop: str | None = None
    length: str | None = None
    loss: str | None = None
    augmentation: str | None = None
    note: str = ""
    source: str


class WeightFile(_Strict):
    """An official weight file, or a retrained one that is publicly offered.

    Attributes:
        name: place below the weights root, FOLDER/FILE.
        dataset: what it was trained on; None where the source does not say.
        task: other than deraining where that is so.
        origin: who trained it.
        sources: places it comes from, in order.
        sha256: of the weight file, where a copy was at hand.
        member: name of the weight file within the archive that the sources give.
        kwargs: constructor arguments that the file needs.
        key: key of the state dict in the file, where it is wrapped.
    """

    name: str = Field(pattern=r"^[a-z0-9_]+/[A-Za-z0-9_]+\.(pth|pt|safetensors)$")
    dataset: str | None = None
    task: str = "deraining"
    origin: Literal["official", "third-party"] = "official"
    sources: tuple[Source, ...] = Field(min_length=1)
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    member: str | None = None
    kwargs: dict[str, Any] = {}
    key: str | None = None
    note: str = ""

    @property
    def automatic(self) -> bool:
        """Whether a machine can get it."""
        return any(not isinstance(source, ManualMirror) for source in self.sources)


class ModelFacts(_Strict):
    """All that is known of a model besides its code.

    Attributes:
        name: as in the registry.
        origin: where the network is from, if not simply from its paper.
        spiking: whether it computes with spikes.
        twin_of: the spiking network whose topology this ANN has.
        published_as: method under which ``catalog/published/`` has its scores.
        published_note: what to know about those scores, or why there are none.
        weights_licence: terms of the weights.
        no_weights: why there are no weight files.
        deviations: what is different here from the official network or its use.
    """

    name: str
    title: str
    origin: str | None = None
    spiking: bool = False
    twin_of: str | None = None
    paper: Paper
    code: Code
    input: Input = Input()
    training: Training
    published_as: str | None = None
    published_note: str = ""
    weights_licence: str
    weights: tuple[WeightFile, ...] = ()
    no_weights: str | None = None
    deviations: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    sources: tuple[str, ...] = Field(min_length=1)

    @field_validator("weights")
    @classmethod
    def _one_place_each(cls, files: tuple[WeightFile, ...]) -> tuple[WeightFile, ...]:
        names = [file.name for file in files]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two files called {name}")
        return files

    @model_validator(mode="after")
    def _says_why(self) -> ModelFacts:
        if bool(self.weights) == bool(self.no_weights):
            raise ValueError("needs either weights or no_weights, the reason why there are none")
        if not self.published_as and not self.published_note:
            raise ValueError("without published_as, published_note must say why")
        return self

    @property
    def citation(self) -> str:
        """Short origin, for tables."""
        return self.origin or self.paper.short

    @property
    def availability(self) -> str:
        """How many weight files there are, and who can get them."""
        automatic = sum(file.automatic for file in self.weights)
        counts = {"automatic": automatic, "by hand": len(self.weights) - automatic}
        return ", ".join(f"{n} {how}" for how, n in counts.items() if n) or "none"


@cache
def facts() -> dict[str, ModelFacts]:
    """Every card by model name, in alphabetical order.

    Raises:
        BenchError: for a file of the catalogue that is not as described.
    """
    found = {}
    for file in sorted((_FOLDER / "models").iterdir(), key=lambda f: f.name):
        if file.name.endswith(".yaml"):
            card = parse(yaml.safe_load(file.read_text("utf-8")), file.name)
            found[card.name] = card
    return found


def parse(values: Any, file: str) -> ModelFacts:
    """Checks a card's content.

    Raises:
        BenchError: in one line that names the file and the key.
    """
    card = check(ModelFacts, values, file)
    if file != f"{card.name}.yaml":
        raise BenchError(f"{file}: name: is '{card.name}'; the file must be {card.name}.yaml")
    return card


def card(name: str) -> ModelFacts:
    """The card of a model; case and ``-``/``_`` do not matter.

    Raises:
        BenchError: for an unknown model, or one without a card.
    """
    known = known_model(name)
    try:
        return facts()[known]
    except KeyError:
        raise BenchError(
            f"model '{known}' has no fact card; add derainbench/catalog/models/{known}.yaml"
        ) from None


def published_scores(of: ModelFacts) -> pd.DataFrame:
    """The published scores of a model, by data set; columns of :func:`published.scores`."""
    scores = published.scores()
    return scores[scores["method"] == of.published_as].sort_values("dataset", kind="stable")
