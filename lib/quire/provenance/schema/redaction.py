"""Secrets are taken out before anything is written: by the name of a field, and by their form."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

REDACTED = "[redacted]"

# What a field is called whose whole value is a secret.
_NAMES = re.compile(
    r"(?i)(^|[_\-.])(pass(word|wd|phrase)?|pwd|secret|token|api[_\-]?key|apikey|authorization|"
    r"auth[_\-]?token|access[_\-]?key|private[_\-]?key|client[_\-]?secret|cookie|set-cookie|"
    r"secret[_\-]?key|passwords|secrets|bearer|credentials?|session[_\-]?id|ssn)$"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
# Forms: only the secret itself is replaced, its neighbourhood stays readable.
_FORMS = (
    r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----[\s\S]*?"
    r"(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|\Z)",
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    r"\bgh[pousr]_[A-Za-z0-9]{20,}\b|\bgithub_pat_[A-Za-z0-9_]{20,}\b",
    r"\bglpat-[A-Za-z0-9_\-]{16,}",
    r"\bsk-[A-Za-z0-9_\-]{16,}",
    r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{10,}",
    r"\bhf_[A-Za-z0-9]{20,}\b|\bnpm_[A-Za-z0-9]{30,}\b",
    r"(?<=hooks\.slack\.com/services/)[A-Za-z0-9/]+",
    r"\bxox[abprs]-[A-Za-z0-9-]{10,}",
    r"\bAIza[0-9A-Za-z_\-]{30,}",
    r"\beyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]*",
    r"(?i)(?<=bearer )[A-Za-z0-9._~+/\-]{8,}=*",
    r"(?i)(?<=basic )[A-Za-z0-9+/]{8,}=*",
    r"(?i)(?<=authorization: token )[^\s\"']+",
    r"(?i)(?<=cookie: )(?!\[redacted)[^\r\n\"']+",
    r"(?i)(?:(?<=--password )|(?<=--token )|(?<=--secret )|(?<=--api-key ))(?!\[redacted)[^\s\"']+",
    r"(?i)(?:(?<=<password>)|(?<=<token>)|(?<=<secret>))(?!\[redacted)[^<]+",
    r"(?<=://)[^\s/:@]*:[^\s/]+(?=@)",
)
_ASSIGNED = re.compile(
    r"(?i)((?:[A-Za-z0-9]+[_\-])*(?:password|passwd|passphrase|pwd|secret|token|api[_\-]?key|"
    r"access[_\-]?key|private[_\-]?key|account[_\-]?key|secret[_\-]?key|credentials?)"
    r"\\*[\"']?\s*[=:]\s*)"
    r"(\\+\"[^\"]*\"|\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^\s,;&\"']+)"
)
_FORM = re.compile("|".join(f"(?:{form})" for form in _FORMS if not form.startswith("(?i)")))
_FORM_ANY_CASE = re.compile(
    "(?i)" + "|".join(f"(?:{form[4:]})" for form in _FORMS if form.startswith("(?i)"))
)


def _may_hold_one(text: str) -> bool:
    """Whether a text needs the patterns: one cheap look that nearly every text fails."""
    low = text.lower()
    return (
        "key" in low
        or "pass" in low
        or "secret" in low
        or "token" in low
        or "pwd" in low
        or "://" in low
        or "sk-" in low
        or "eyj" in low
        or "bearer" in low
        or "basic " in low
        or "akia" in low
        or "asia" in low
        or "github_pat" in low
        or "ghp_" in low
        or "gho_" in low
        or "ghu_" in low
        or "ghs_" in low
        or "ghr_" in low
        or "glpat" in low
        or "xox" in low
        or "aiza" in low
        or "cookie" in low
        or "credential" in low
        or "k_live" in low
        or "k_test" in low
        or "hf_" in low
        or "npm_" in low
    )


@dataclass(frozen=True)
class Redaction:
    """What is taken out of a document before it is written.

    Attributes
    ----------
    drop
        Names of fields whose value is always replaced, at any depth, such as ``output``.
    keep
        Names of fields that are never looked at.
    forms
        Whether texts are searched for secrets by their form and their name.
    """

    drop: frozenset[str] = frozenset()
    keep: frozenset[str] = frozenset()
    forms: bool = True

    def spares(self, payload: bytes) -> bool:
        """Return whether a document stays as it is, by one look at its canonical bytes.

        None of the words is there without which there is no secret, in a name or in a text. A
        count of tokens is so frequent that its name, which no text can hold unescaped, is left out.
        """
        if self.drop:
            return False
        if not self.forms:
            return True
        low = payload.decode("utf-8").lower().replace('"tokens":', "")
        return not (_may_hold_one(low) or "auth" in low or "session" in low or "ssn" in low)

    def apply(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Return the document without its secrets; ``redacted`` lists the paths that had one."""
        paths: list[str] = []
        found: dict[str, Any] = self._value(document, "", paths)
        if paths:
            before = found.get("redacted")
            found["redacted"] = sorted({*paths, *(before if isinstance(before, list) else ())})
        return found

    def _value(self, value: Any, path: str, paths: list[str]) -> Any:
        kind = type(value)
        if kind is str:
            if not self.forms or not _may_hold_one(value):
                return value
            clean = without_secrets(value)
            if clean != value:
                paths.append(path)
            return clean
        if kind is dict or isinstance(value, Mapping):
            out = {}
            for name, item in value.items():
                if name in self.keep:
                    out[name] = item
                    continue
                clean_name = _clean_name(name) if self.forms else name
                if clean_name != name:
                    paths.append(path)
                    if clean_name in value or clean_name in out:
                        clean_name = f"{clean_name}-{len(out)}"
                    name = clean_name
                inside = f"{path}.{name}" if path else str(name)
                if item is not None and (
                    name in self.drop or (self.forms and _is_secret_name(name, item))
                ):
                    out[name] = REDACTED
                    if item != REDACTED:
                        paths.append(inside)
                else:
                    out[name] = self._value(item, inside, paths)
            return out
        if kind is list or kind is tuple:
            return [self._value(item, f"{path}[{k}]", paths) for k, item in enumerate(value)]
        return value


DEFAULT = Redaction()


def without_secrets(text: str) -> str:
    """Return a text in which every secret that is known by its form is replaced."""
    text = _FORM.sub(REDACTED, text)
    text = _FORM_ANY_CASE.sub(REDACTED, text)
    return _ASSIGNED.sub(_assigned, text)


def _assigned(match: re.Match[str]) -> str:
    if REDACTED in match[2] or match[2].startswith("[redacted"):
        return match[0]
    escapes = match[2][: len(match[2]) - len(match[2].lstrip("\\"))]
    bare = match[2][len(escapes) :]
    quote = escapes + bare[0] if bare and bare[0] in "\"'" else ""
    return f"{match[1]}{quote}{REDACTED}{quote}"


_SECRET_NAMES: dict[str, str] = {}
_CLEAN_NAMES: dict[str, str] = {}


def _clean_name(name: Any) -> Any:
    """Return a field's name without the secret that it holds itself."""
    clean = _CLEAN_NAMES.get(name)
    if clean is None:
        if not isinstance(name, str):
            return name
        clean = without_secrets(name) if _may_hold_one(name) else name
        if len(_CLEAN_NAMES) < 10_000 and clean == name:
            _CLEAN_NAMES[name] = clean
    return clean


def _is_secret_name(name: Any, item: Any) -> bool:
    """Whether a field's name says secret; of numbers only a password is one, not a count."""
    kind = _SECRET_NAMES.get(name)
    if kind is None:
        kind = _kind_of_name(name) if isinstance(name, str) else ""
        if len(_SECRET_NAMES) < 10_000:
            _SECRET_NAMES[name] = kind
    if not kind or isinstance(item, bool):
        return False
    return kind == "always" or not isinstance(item, int | float)


def _kind_of_name(name: str) -> str:
    if not _NAMES.search(_CAMEL.sub("_", name)):
        return ""
    return "always" if re.search(r"(?i)pass|pwd|ssn", name) else "unless a number"
