"""The official RO-Crate validator, which holds a bundle's description against a profile.

It asks the network for RO-Crate's JSON-LD context; here it gets the copy that the package
``rocrate`` carries, so that a validation needs no network.
"""

import json
from importlib import resources
from typing import Any

import calls
import rdflib.plugins.shared.jsonld.context as contexts
import requests
from rocrate_validator import models, services
from rocrate_validator.utils.http import HttpRequester

_CONTEXT = "https://w3id.org/ro/crate/"
_source_to_json = contexts.source_to_json
_getattr = HttpRequester.__getattr__


def _text() -> str:
    return (resources.files("rocrate") / "data" / "ro-crate.jsonld").read_text("utf-8")


def _read(source: Any, *args: Any, **keywords: Any) -> Any:
    if str(source).startswith(_CONTEXT):
        return json.loads(_text()), None
    return _source_to_json(source, *args, **keywords)


def _get(self: HttpRequester, name: str) -> Any:
    found = _getattr(self, name)
    if name != "get":
        return found

    def get(url: str, **keywords: Any) -> requests.Response:
        if not url.startswith(_CONTEXT):
            return found(url, **keywords)
        response = requests.Response()
        response.status_code, response.url = 200, url
        response.headers["Content-Type"] = "application/ld+json"
        response._content = _text().encode()
        return response

    return get


contexts.source_to_json = _read
HttpRequester.__getattr__ = _get


@calls.call
def validate(request: dict[str, Any], arrays: calls.Arrays) -> tuple[dict[str, Any], calls.Arrays]:
    """Validate the crate in ``folder`` against ``profile``: whether it passes, and its issues."""
    settings = services.ValidationSettings(
        rocrate_uri=request["folder"],
        profile_identifier=request["profile"],
        requirement_severity=models.Severity[request.get("severity", "REQUIRED")],
        offline=True,
    )
    result = services.validate(settings)
    issues = [
        f"{issue.severity.name} {issue.check.identifier}: {issue.message}"
        for issue in result.get_issues()
    ]
    return {"passed": not issues, "issues": issues}, {}


if __name__ == "__main__":
    calls.serve()
