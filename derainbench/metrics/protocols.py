"""Named, frozen ways of computing PSNR and SSIM. No score is shown without its protocol's name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args


@dataclass(frozen=True)
class Protocol:
    """A way of scoring.

    Attributes:
        name: identifier used in every file.
        description: one phrase for captions.
        luma: compare BT.601 Y instead of RGB.
        round_luma: round Y to 8 bits first.
        border: pixels cropped at every side.
    """

    name: str
    description: str
    luma: bool = True
    round_luma: bool = False
    border: int = 0


ProtocolName = Literal["esdnet", "matlab-uint8", "matlab-double", "rgb"]

PROTOCOLS = {
    p.name: p
    for p in (
        Protocol("esdnet", "Y, float, 4-pixel border cropped (ESDNet's script)", border=4),
        Protocol("matlab-uint8", "Y rounded to 8 bits (Restormer's script)", round_luma=True),
        Protocol("matlab-double", "Y, float (PReNet's script)"),
        Protocol("rgb", "RGB, PSNR from the error over all channels, SSIM averaged", luma=False),
    )
}

PROTOCOL_NAMES: tuple[ProtocolName, ...] = get_args(ProtocolName)
DEFAULT_PROTOCOL = PROTOCOL_NAMES[0]  # of figures and of claims that name none
