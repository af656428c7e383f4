"""What a model card may say. The cards themselves: :mod:`derainbench.catalog.model_cards`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from derainbench.catalog.mirrors import DriveFile, HttpMirror, ManualMirror
from derainbench.foundation.settings import Strict

Source = Annotated[HttpMirror | DriveFile | ManualMirror, Field(discriminator="kind")]


class Tiling(Strict):
    """How an image is cut into overlapping squares, and they are put together again.

    Attributes:
        side: of a tile, pixels.
        overlap: of neighbouring tiles, pixels; the last one of a row or column may overlap more.
        blend: how a tile's weight falls towards its edges, where networks miss what lies beyond.
            "ramp": over the overlap, as a squared sine. "distance": as 1 / sqrt(d^2 + 1e-3),
            d pixels from its centre, as official scripts do.
        exact: smaller images are extended to a full tile; else tiles shrink with the image.
    """

    side: int = Field(512, ge=1)
    overlap: int = Field(64, ge=0)
    blend: Literal["ramp", "distance"] = "ramp"
    exact: bool = False


class Network(Strict):
    """How a network is built and fed: all of a card that decides what is computed.

    Attributes:
        build: its class, as ``package.module:Class``; constructor arguments all have defaults.
        defaults: of constructor arguments, where they are not those of the class.
        size_multiple: height and width must be multiples of this.
        fixed_size: side of the only squares that the network takes, if it takes no others.
        inference: how the official evaluation feeds images.
        padding: how images are extended up to the size multiple. "replicate" or "reflect": to the
            right and bottom, by repeating or mirroring the edge. "square": the network takes
            squares only; the image lies in the middle of one, zeros around it.
        tiling: how an image is tiled, where that is asked for or it is too large for one pass.
        max_pixels: most pixels, padding included, of one pass: what the network takes, or what
            16 GB hold, which leaves a third of a 24 GB machine for all else. Bytes per pixel are
            those of the full-size network, measured by tools/memory.py.
        quantise: how the official evaluation makes 8-bit images.
    """

    build: str = Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")
    defaults: dict[str, Any] = {}
    size_multiple: int = Field(1, ge=1)
    fixed_size: int | None = Field(None, ge=1)
    inference: Literal["whole", "tiled"] = "whole"
    padding: Literal["replicate", "reflect", "square"] = "replicate"
    tiling: Tiling = Tiling()
    max_pixels: int = Field(1_000_000, ge=1)
    quantise: Literal["round", "truncate"] = "round"

    @property
    def module(self) -> str:
        """The module of the network's class."""
        return self.build.partition(":")[0]


class Paper(Strict):
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


class Code(Strict):
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


class Input(Strict):
    """What the official network is fed; ours take RGB in [0,1] and convert by themselves.

    Attributes:
    """

    range: Literal["0-1", "0-255"] = "0-1"
    channels: Literal["RGB", "BGR"] = "RGB"
    note: str = ""


class Training(Strict):
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


class WeightFile(Strict):
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


class ModelCard(Strict):
    """All that is known of a model besides its code.

    Attributes:
        name: as in the registry.
        network: how it is built and run here.
        origin: where the network is from, if not simply from its paper.
        spiking: whether it computes with spikes.
        counterpart_of: the spiking network whose topology this ANN has.
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
    counterpart_of: str | None = None
    network: Network
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
    def _says_why(self) -> ModelCard:
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
