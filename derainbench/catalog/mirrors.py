"""Places that files come from: plain downloads, Google Drive, and what only a person can get."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from derainbench.foundation.settings import Strict


class HttpMirror(Strict):
    """A file that a plain download brings."""

    kind: Literal["http"]
    url: str
    sha256: str | None = None
    holds: tuple[Literal["train", "val", "test"], ...] = ()
    note: str = ""


class DriveFile(Strict):
    """A file on Google Drive."""

    kind: Literal["gdrive-file"]
    id: str
    name: str = Field(description="file name, with the extension that says how to unpack it")
    sha256: str | None = None
    holds: tuple[Literal["train", "val", "test"], ...] = ()
    note: str = ""

    @property
    def url(self) -> str:
        """Address, as a person would open it."""
        return f"https://drive.google.com/file/d/{self.id}/view"


class DriveFolder(Strict):
    """A folder on Google Drive, with archives or images."""

    kind: Literal["gdrive-folder"]
    id: str
    note: str = ""

    @property
    def url(self) -> str:
        """Address, as a person would open it."""
        return f"https://drive.google.com/drive/folders/{self.id}"


class ManualMirror(Strict):
    """A place that only a person can download from."""

    kind: Literal["manual"]
    url: str
    password: str | None = None
    note: str = ""


Mirror = Annotated[HttpMirror | DriveFile | DriveFolder | ManualMirror, Field(discriminator="kind")]
