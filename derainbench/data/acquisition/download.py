"""Bringing single files over the network: resumed, retried, checked.

gdown knows Google Drive's pages and folders. The transfer itself is made here, because a broken
one may only go on if the server still has the file that it began with, also when another process
goes on with it: gdown cannot tell, and would join halves of two versions.
"""

from __future__ import annotations

import errno
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import requests
import urllib3
from gdown.download import get_url_from_gdrive_confirmation
from gdown.exceptions import FileURLRetrievalError
from gdown.parse_url import parse_url
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from derainbench.foundation.errors import BenchError
from derainbench.foundation.progress import TransferReporter

# Statuses after which the same server may well answer in a moment.
PASSING_STATUS = {408, 425, 429, 500, 502, 503, 504}
_HTML_STARTS = (b"<!doctype html", b"<html", b"<head", b"<!--")
# gdown's: Google Drive answers this browser with the pages that gdown can read.
_AGENT = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_10_1) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/39.0.2171.95 Safari/537.36"
)
_CHUNK = 1 << 16


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

    Bytes gather in ``.<target name>.part`` beside the target, which appears when all are there and
    the checksum is right.

    Args:
        url: http(s) address, Google Drive's included.
        target: file to write; if it is there already, it is only checked.
        sha256: expected checksum, if known.
        patience: see :class:`Patience`.

    Returns:
        SHA-256 of the file.

    Raises:
        MirrorError: if this source cannot give the file: unreachable, missing, a web page or
            nothing in place of a file, or another content than expected.
        BenchError: for a full disk or an unwritable folder.
    """
    patience = patience or Patience()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_file():
            found = _digest(target)
            if sha256 in (None, found):
                return found
            target.unlink()  # an older version, or a damaged file
        part = _Part(target)
        retrying(patience)(_attempt, url, part, patience)
        found = _digest(part.data)
        if fault := _fault(part.data, found, sha256):
            part.drop()
            raise MirrorError(f"{url}: {fault}")
        part.data.replace(target)
        part.note.unlink()
    except requests.RequestException as error:
        raise MirrorError(f"{url}: {failure_reason(error, patience)}") from error
    except OSError as error:
        raise _disk_error(error, target) from error
    return found


class _Part:
    """A file that is coming in, and beside it a note of what it is a part of."""

    def __init__(self, target: Path) -> None:
        self.name = target.name
        self.data = target.with_name(f".{target.name}.part")
        self.note = target.with_name(f".{target.name}.part.json")

    def known(self, url: str) -> dict[str, Any]:
        """What is noted of the file at this address: validator and size; empty for nothing."""
        try:
            note = json.loads(self.note.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return note if note["url"] == url and self.data.is_file() else {}

    def begin(self, url: str, response: requests.Response) -> dict[str, Any]:
        """Starts over with the file that a server is about to send."""
        self.drop()
        size = response.raw.length_remaining
        note = {"url": url, "validator": _validator(response), "size": size}
        self.note.write_text(json.dumps(note), encoding="utf-8")
        return note

    def drop(self) -> None:
        """Forgets all that has come in; data first: they are nothing without the note."""
        self.data.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


def _validator(response: requests.Response) -> str | None:
    """What tells versions of a file apart: its entity tag, else its date."""
    tag = response.headers.get("ETag")
    return response.headers.get("Last-Modified") if not tag or tag.startswith("W/") else tag


def retrying(patience: Patience) -> Retrying:
    return Retrying(
        retry=retry_if_exception(_passing),
        stop=stop_after_attempt(patience.attempts),
        wait=wait_random_exponential(multiplier=1, max=patience.longest_wait),
        reraise=True,
    )


def _attempt(url: str, part: _Part, patience: Patience) -> None:
    """Asks once for the bytes that are missing."""
    note = part.known(url)
    have = part.data.stat().st_size if note else 0
    if note and have == note["size"]:
        return  # all bytes had arrived when an earlier call was stopped
    wish = {"Accept-Encoding": "identity"}
    if have and note["validator"]:
        wish |= {"Range": f"bytes={have}-", "If-Range": note["validator"]}
    with requests.Session() as session, _answer(session, url, wish, patience) as response:
        if response.status_code == 200:
            note, have = part.begin(url, response), 0
        elif response.status_code not in (206, 416):
            raise requests.HTTPError(response=response)
        elif not _goes_on(response, have, note):
            part.drop()
            raise BrokenTransfer("the server sends another part than asked for")
        with TransferReporter(f"download {part.name}") as reporter, open(part.data, "ab") as sink:
            for chunk in _body(response):
                sink.write(chunk)
                have += len(chunk)
                reporter.update(have, note["size"])
    if note["size"] not in (None, have):
        raise BrokenTransfer(f"{have} of {note['size']} bytes")


def _answer(
    session: requests.Session, url: str, wish: dict[str, str], patience: Patience
) -> requests.Response:
    """A server's answer; Google Drive's questions in between are answered."""
    session.headers["User-Agent"] = _AGENT
    get = partial(session.get, stream=True, timeout=(patience.connect, patience.read))
    drive_id, _ = parse_url(url)
    if not drive_id:
        return get(url, headers=wish)
    direct = f"https://drive.google.com/uc?id={drive_id}"
    response = get(direct)
    try:
        if response.ok and "Content-Disposition" not in response.headers:
            # Too large for Google's virus scan: a page with a form asks whether to go on.
            direct = get_url_from_gdrive_confirmation(response.text)
        elif not response.ok or "Range" not in wish:
            return response
        response.close()
        response = get(direct, headers=wish)
        if response.ok and "Content-Disposition" not in response.headers:
            raise FileURLRetrievalError("a page again")
        return response
    except (FileURLRetrievalError, KeyError) as error:
        raise MirrorError(
            f"{url}: Google Drive gives a web page in place of the file (its download quota is used "
            "up, or the file is private); try again in a day, or download it in a browser"
        ) from error


def _goes_on(response: requests.Response, have: int, note: dict[str, Any]) -> bool:
    """Whether an answer is the rest of the very file that was noted."""
    span = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", response.headers.get("Content-Range", ""))
    return (
        bool(note)
        and span is not None
        and int(span[1]) == have
        and (note["size"] is None or int(span[2]) == note["size"] - 1)
        and _validator(response) in (None, note["validator"])
    )


def _body(response: requests.Response) -> Iterator[bytes]:
    """The bytes as they are sent; faults of the network become ours, those of the disk do not."""
    try:
        yield from response.raw.stream(_CHUNK, decode_content=False)
    except urllib3.exceptions.ReadTimeoutError as error:
        raise requests.ReadTimeout(error) from error
    except urllib3.exceptions.HTTPError as error:
        raise BrokenTransfer("the connection was lost") from error


class BrokenTransfer(requests.RequestException):
    """A transfer that ended early; trying again resumes it."""


def _passing(error: BaseException) -> bool:
    if isinstance(error, requests.HTTPError):
        return error.response is not None and error.response.status_code in PASSING_STATUS
    if isinstance(error, requests.exceptions.SSLError):
        return False
    return isinstance(
        error,
        BrokenTransfer
        | requests.ConnectionError
        | requests.Timeout
        | requests.exceptions.ChunkedEncodingError,
    )


def failure_reason(error: requests.RequestException, patience: Patience) -> str:
    tries = f"after {patience.attempts} {'try' if patience.attempts == 1 else 'tries'}"
    match error:
        case requests.HTTPError(response=response) if response is not None:
            again = f" {tries}" if response.status_code in PASSING_STATUS else ""
            return f"the server answers {response.status_code} {response.reason}{again}"
        case requests.TooManyRedirects():
            return "the server redirects in a circle"
        case requests.Timeout():
            return f"the server stays silent ({patience.read:g} s) {tries}; run again to resume"
        case requests.exceptions.SSLError():
            return "the server's certificate is not trusted"
        case BrokenTransfer():
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


def _fault(file: Path, found: str, sha256: str | None) -> str | None:
    """Why a file that came in whole is not what was asked for."""
    with open(file, "rb") as stream:
        start = stream.read(512).removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith(_HTML_STARTS):
        return (
            "gives a web page in place of the file (a log-in, a quota notice, or the file is "
            "gone); open the address in a browser to see which"
        )
    if file.stat().st_size == 0:
        return "gives an empty file"
    if sha256 not in (None, found):
        return (
            f"wrong checksum: sha256 {found[:16]}… instead of {sha256[:16]}…; the file is damaged "
            "or another version and was deleted"
        )
    return None


def _digest(path: Path) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
