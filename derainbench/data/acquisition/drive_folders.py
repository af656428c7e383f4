"""What a Google Drive folder holds."""

from __future__ import annotations

import os
import re
from typing import Any

import gdown
import requests
from gdown.exceptions import DownloadError

from derainbench.data.acquisition.download import (
    PASSING_STATUS,
    BrokenTransfer,
    MirrorError,
    Patience,
    failure_reason,
    retrying,
)


def drive_folder(folder_id: str, patience: Patience | None = None) -> list[tuple[str, str]]:
    """Names and ids of all files below a Google Drive folder.

    Returns:
        (relative path, file id) for each file.

    Raises:
        MirrorError: if the folder cannot be listed, or is empty.
    """
    patience = patience or Patience()
    url = f"https://drive.google.com/drive/folders/{folder_id}"
    try:
        found = retrying(patience)(_list_folder, folder_id, patience)
    except DownloadError as error:
        raise MirrorError(f"{url}: cannot be listed ({str(error).splitlines()[0]})") from error
    except RecursionError as error:
        raise MirrorError(f"{url}: its folders hold one another") from error
    except requests.RequestException as error:
        raise MirrorError(f"{url}: {failure_reason(error, patience)}") from error
    if not found:
        raise MirrorError(f"{url}: the folder is empty or private")
    return [(file.path, file.id) for file in found]


def _list_folder(folder_id: str, patience: Patience) -> list[Any]:
    try:
        return gdown.download_folder(
            id=folder_id,
            quiet=True,
            use_cookies=False,  # they would be kept in the user's home folder
            skip_download=True,
            output=os.devnull,  # nothing is written: only joined in front of local_path
            timeout=(patience.connect, patience.read),
        )
    except DownloadError as error:
        status = re.search(r"status code (\d+)", str(error))
        if status and int(status[1]) in PASSING_STATUS:
            raise BrokenTransfer(f"status {status[1]}") from error
        raise
