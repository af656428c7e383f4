"""Bringing single files over the network: resumed, retried, checked.

The transfer itself is gdown's, for plain HTTP and for Google Drive alike; what is added here is
patience with failing servers, checksums, and errors that say what happened and what to do.
"""

from __future__ import annotations

import errno
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gdown
import requests
from gdown.exceptions import DownloadError, FileURLRetrievalError
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from derainbench.errors import BenchError
from derainbench.progress import TransferReporter

# Statuses after which the same server may well answer in a moment.
_PASSING = {408, 425, 429, 500, 502, 503, 504}
_HTML_STARTS = (b"<!doctype html", b"<html", b"<head", b"<!--")


class MirrorError(BenchError):
    """One source cannot give the file; another may."""


@dataclass(frozen=True)
class Patience:
    """How long a server is given.

    Attributes:
        attempts: tries per file, for passing faults.
        connect, read: seconds until a silent server is given up.
        longest_wait: seconds between two tries, at most; waits grow exponentially.
    """

    attempts: int = 5
    connect: float = 15.0
    read: float = 60.0
    longest_wait: float = 30.0


def download(
    url: str, target: Path, *, sha256: str | None = None, patience: Patience | None = None
) -> str:
    """Brings a file; a stopped or broken transfer goes on where it was.

    Bytes gather in ``<target name>XXXXXXXX.part`` beside the target, which appears when all are
    there and the checksum is right.

    Args:
        url: http(s) address, Google Drive's included.
        target: file to write; if it is there already, it is only checked.
        sha256: expected checksum, if known.
        patience: see :class:`Patience`.

    Returns:
        SHA-256 of the file.

    Raises:
        MirrorError: if this source cannot give the file: unreachable, missing, a web page in
            place of a file, or another content than expected.
        BenchError: for a full disk or an unwritable folder.
    """
    patience = patience or Patience()
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_file():
        found = _digest(target)
        if sha256 in (None, found):
            return found
        target.unlink()  # an older version, or a damaged file
    incoming = target.with_name(f".{target.name}.incoming")
    try:
        found = _retrying(patience)(_attempt, url, incoming, patience)
        _refuse_web_page(incoming, url)
    except OSError as error:
        if isinstance(error, requests.RequestException):
            raise MirrorError(f"{url}: {_reason(error, patience)}") from error
        raise _disk_error(error, target) from error
    if sha256 not in (None, found):
        incoming.unlink()
        raise MirrorError(
            f"{url}: wrong checksum: sha256 {found[:16]}… instead of {sha256[:16]}…; the file is "
            "damaged or another version and was deleted"
        )
    incoming.replace(target)
    return found


def _retrying(patience: Patience) -> Retrying:
    return Retrying(
        retry=retry_if_exception(_passing),
        stop=stop_after_attempt(patience.attempts),
        wait=wait_random_exponential(multiplier=1, max=patience.longest_wait),
        reraise=True,
    )


def _attempt(url: str, target: Path, patience: Patience) -> str:
    if target.is_file():  # all bytes had arrived when an earlier call was stopped
        return _digest(target)
    hasher = hashlib.sha256()
    with TransferReporter(f"download {urlsplit(url).path.rsplit('/', 1)[-1]}") as reporter:
        try:
            gdown.download(
                url,
                str(target),
                quiet=True,
                use_cookies=False,  # they would be kept in the user's home folder
                resume=True,
                hasher=hasher,
                progress=reporter.update,
                timeout=(patience.connect, patience.read),
            )
        except FileURLRetrievalError as error:
            raise MirrorError(
                f"{url}: Google Drive gives a web page in place of the file (its download quota "
                "is used up, or the file is private); try again in a day, or download it in a "
                "browser"
            ) from error
        except DownloadError as error:
            if "byte range" in str(error) or "multiple temporary files" in str(error):
                _forget_partial(target)  # this server cannot resume: start over
            raise _Broken(str(error).splitlines()[0]) from error
        except KeyError as error:
            # gdown looks up headers that a broken server leaves out.
            raise _Broken(f"answer without header {error}") from error
    return hasher.hexdigest()


class _Broken(requests.RequestException):
    """A transfer that ended early; trying again resumes it."""


def _passing(error: BaseException) -> bool:
    if isinstance(error, requests.HTTPError):
        return error.response is not None and error.response.status_code in _PASSING
    if isinstance(error, requests.TooManyRedirects | requests.exceptions.SSLError):
        return False
    return isinstance(
        error,
        _Broken
        | requests.ConnectionError
        | requests.Timeout
        | requests.exceptions.ChunkedEncodingError,
    )


def _reason(error: requests.RequestException, patience: Patience) -> str:
    tries = f"after {patience.attempts} tries"
    match error:
        case requests.HTTPError(response=response) if response is not None:
            again = f" {tries}" if response.status_code in _PASSING else ""
            return f"the server answers {response.status_code} {response.reason}{again}"
        case requests.TooManyRedirects():
            return "the server redirects in a circle"
        case requests.Timeout():
            return f"the server stays silent ({patience.read:g} s) {tries}; run again to resume"
        case requests.exceptions.SSLError():
            return "the server's certificate is not trusted"
        case _Broken():
            return f"the transfer broke off {tries} ({error}); run again to resume"
        case requests.ConnectionError():
            return f"no connection {tries}; run again to resume"
        case _:
            return str(error).splitlines()[0]


def _disk_error(error: OSError, target: Path) -> BenchError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return BenchError(
            f"{target.parent}: no space left for {target.name}; free some and run again: the "
            "download resumes"
        )
    return BenchError(f"{target.parent}: cannot be written ({error.strerror or error})")


def _refuse_web_page(file: Path, url: str) -> None:
    with open(file, "rb") as stream:
        start = stream.read(512).lstrip().lower()
    if start.startswith(_HTML_STARTS):
        file.unlink()
        raise MirrorError(
            f"{url}: gives a web page in place of the file (a log-in, a quota notice, or the file "
            "is gone); open the address in a browser to see which"
        )


def _forget_partial(target: Path) -> None:
    for part in target.parent.glob(f"{target.name}????????.part"):
        part.unlink()


def _digest(path: Path) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


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
        found = _retrying(patience)(_list_folder, folder_id, patience)
    except (DownloadError, FileURLRetrievalError) as error:
        raise MirrorError(f"{url}: cannot be listed ({str(error).splitlines()[0]})") from error
    except requests.RequestException as error:
        raise MirrorError(f"{url}: {_reason(error, patience)}") from error
    if not found:
        raise MirrorError(f"{url}: the folder is empty or private")
    return [(file.path, file.id) for file in found]


def _list_folder(folder_id: str, patience: Patience) -> list[Any]:
    return gdown.download_folder(
        id=folder_id,
        quiet=True,
        use_cookies=False,
        skip_download=True,
        output=os.devnull,  # nothing is written: only joined in front of local_path
        timeout=(patience.connect, patience.read),
    )
