"""Holds an archive to the Workflow Run Crate profile, without a network.

    PYTHON tests/crate_validation.py ARCHIVE CONTEXT [SEVERITY]

PYTHON is one that has roc-validator (`make validator`), which cannot share an environment with
import-linter: they want different versions of rich. CONTEXT is the JSON-LD context that the package
rocrate brings, of RO-Crate 1.3; it stands in for that of 1.1, which the validator would fetch, with the
four names as 1.1 reads them that 1.3 reads otherwise
(https://www.researchobject.org/ro-crate/specification/1.3/appendix/changelog).
Prints what is not as demanded, a line each; exit code 1 if anything is.
"""

import json
import sys
from pathlib import Path

from requests import Response
from rocrate_validator import services
from rocrate_validator.utils.http import HttpRequester

CONTEXT_1_1 = "https://w3id.org/ro/crate/1.1/context"
OF_1_1 = {
    "ComputationalWorkflow": "https://bioschemas.org/ComputationalWorkflow",
    "FormalParameter": "https://bioschemas.org/FormalParameter",
    "input": "https://bioschemas.org/ComputationalWorkflow#input",
    "output": "https://bioschemas.org/ComputationalWorkflow#output",
}


def main(archive: Path, context: Path, severity: str = "REQUIRED") -> int:
    """Validates an archive and prints each issue."""
    known = json.loads(context.read_text(encoding="utf-8"))["@context"] | OF_1_1

    def get(self: HttpRequester, url: str, **_: object) -> Response:
        response = Response()
        response.url, response.status_code = url, 200 if url == CONTEXT_1_1 else 404
        response.headers["Content-Type"] = "application/ld+json"
        response._content = json.dumps({"@context": known}).encode()
        return response

    HttpRequester.get = get
    settings = services.ValidationSettings(
        rocrate_uri=str(archive.resolve()),
        profile_identifier="workflow-run-crate-0.5",
        requirement_severity=severity,
    )
    issues = services.validate(settings).get_issues()
    for issue in issues:
        check = issue.check.identifier
        print(f"{check}: {issue.message} ({getattr(issue, 'violatingEntity', '')})")
    return int(bool(issues))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]))
