"""What files were like when they were first downloaded, so that a change is noticed later.

One JSON file per root: address -> SHA-256, size in bytes, and the day of the first download.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from derainbench.foundation.documents import parse_json
from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import write_json


@dataclass(frozen=True)
class FirstSeen:
    """The digests kept in one file.

    Attributes:
        path: the JSON file; it need not exist yet.
    """

    path: Path

    def sha256(self, url: str) -> str | None:
        """SHA-256 of the file first seen at an address, if one was.

        Raises:
            BenchError: if the JSON file is damaged.
        """
        return self._read().get(url, {}).get("sha256")

    def remember(self, digests: Mapping[str, dict[str, Any]]) -> None:
        """Writes files' digests down, for every later download from the same addresses.

        Args:
            digests: address -> ``{"sha256": .., "bytes": ..}``.

        Raises:
            BenchError: if the JSON file is damaged.
        """
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        with FileLock(self.path.with_name(f".{self.path.name}.lock")):
            for leftover in self.path.parent.glob(f".{self.path.stem}.*.json"):
                leftover.unlink()  # of killed processes
            known = self._read()
            for url, facts in digests.items():
                if known.get(url, {}).get("sha256") != facts["sha256"]:
                    known[url] = {**facts, "first_seen": today}
            write_json(self.path, dict(sorted(known.items())))

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            known = parse_json(self.path.read_text(encoding="utf-8"))
            return {url: {"sha256": facts["sha256"], **facts} for url, facts in known.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
            raise BenchError(
                f"{self.path}: cannot be read; repair it, or delete it to start anew"
            ) from error
