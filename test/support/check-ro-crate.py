"""Validates an RO-Crate by the rules in roc-validator: `check-ro-crate.py CRATE PROFILE` prints what is wrong as JSON.

No network is needed: the context of RO-Crate comes with the package rocrate. It is that of a later version, so the terms of which
1.1 has other URIs are stated here, as are those of the Workflow Run Crate terms that torc writes.
"""

import json
import sys
from importlib.resources import files

from rocrate_validator import models, services
from rocrate_validator.utils.http import HttpRequester

bioschemas = "https://bioschemas.org/"
run_terms = "https://w3id.org/ro/terms/workflow-run#"
later = json.loads((files("rocrate") / "data" / "ro-crate.jsonld").read_text())["@context"]
contexts = {
    "https://w3id.org/ro/crate/1.1/context": {
        **later,
        "ComputationalWorkflow": bioschemas + "ComputationalWorkflow",
        "FormalParameter": bioschemas + "FormalParameter",
        "input": bioschemas + "ComputationalWorkflow#input",
    },
    "https://w3id.org/ro/terms/workflow-run/context": {"sha256": run_terms + "sha256"},
}


class Answer:
    def __init__(self, url):
        self.status_code = 200 if url in contexts else 404
        self.headers = {"Content-Type": "application/ld+json"}
        self.value = {"@context": contexts.get(url, {})}

    def json(self):
        return self.value

    @property
    def text(self):
        return json.dumps(self.value)


def main(crate, profile):
    HttpRequester.get = lambda self, url, **rest: Answer(url)
    HttpRequester.head = HttpRequester.get
    required = models.Severity.REQUIRED
    settings = services.ValidationSettings(
        rocrate_uri=models.URI(crate), profile_identifier=profile, requirement_severity=required, skip_availability_check=True
    )
    result = services.validate(settings)
    issues = [{"check": each.check.identifier, "message": each.message} for each in result.get_issues()]
    print(json.dumps({"passed": result.passed(required), "issues": issues}))


main(*sys.argv[1:])
