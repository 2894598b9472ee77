"""Secrets are taken out before anything is written: by the name of a field, and by their form.

Names and forms are looked for in texts, in names of fields, in lists (an option and its value, a
key in lines), in pairs of name and value, and in base64. What has neither a name nor a form is not
seen: a secret whose parts stand in fields apart, or one in a code of somebody's own.
"""

import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from quire.signatures import checked

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
    r"\beyJ[A-Za-z0-9_\-]{8,2000}+\.[A-Za-z0-9_\-]{8,}+\.[A-Za-z0-9_\-]*",
    r"(?i)(?<=bearer )[A-Za-z0-9._~+/\-]{8,}=*",
    r"(?i)(?<=basic )[A-Za-z0-9+/]{8,}=*",
    r"(?i)(?<=authorization: token )[^\s\"']+",
    r"(?i)(?<=cookie: )(?!\[redacted)[^\r\n\"']+",
    r"(?i)(?:(?<=--password )|(?<=--token )|(?<=--secret )|(?<=--api-key ))(?!\[redacted)[^\s\"']+",
    r"(?i)(?:(?<=<password>)|(?<=<token>)|(?<=<secret>))(?!\[redacted)[^<]+",
    r"(?<=://)[^\s/:@]*:[^\s/]+(?=@)",
)
_ASSIGNED = re.compile(
    r"(?i)((?:password|passwd|passphrase|pwd|secret|token|api[_\-]?key|"
    r"access[_\-]?key|private[_\-]?key|account[_\-]?key|secret[_\-]?key|credentials?)"
    r"\\*[\"']?\s*[=:]\s*)"
    r"(\\+\"[^\"]*\"|\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^\s,;&\"']+)"
)
_FORM = re.compile("|".join(f"(?:{form})" for form in _FORMS if not form.startswith("(?i)")))
_FORM_ANY_CASE = re.compile(
    "(?i)" + "|".join(f"(?:{form[4:]})" for form in _FORMS if form.startswith("(?i)"))
)


_OPTION = re.compile(
    r"(?i)--?(?:[a-z0-9]+-)*(?:password|passwd|passphrase|pwd|secret|token|api-?key|access-?key|"
    r"private-?key|secret-?key|credentials?)"
)
_KEY_BEGINS = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----")
_KEY_ENDS = re.compile(r"-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----")
_BASE64 = re.compile(r"[A-Za-z0-9+/_\-]{16,}+(?:\r?\n[A-Za-z0-9+/_\-]{4,}+)*+={0,2}")


def _coded(word: bytes, before: int) -> str:
    """Return what a word is in base64 after so many bytes (of three), without its neighbours."""
    code = binascii.b2a_base64(b"\0" * before + word).decode()
    return code[-(-8 * before // 6) : 8 * (before + len(word)) // 6].lower()


_CODED = tuple(
    _coded(word, before) for word in (b"password", b"secret", b"PRIVATE KEY") for before in range(3)
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
        or _holds_coded(low)
    )


def _holds_coded(low: str) -> bool:
    return (
        _CODED[0] in low
        or _CODED[1] in low
        or _CODED[2] in low
        or _CODED[3] in low
        or _CODED[4] in low
        or _CODED[5] in low
        or _CODED[6] in low
        or _CODED[7] in low
        or _CODED[8] in low
    )


@checked
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
            kept = before if isinstance(before, list) else ()
            found["redacted"] = sorted({*paths, *(path for path in kept if type(path) is str)})
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
            named = self.forms and _names_a_secret(value)
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
                    name in self.drop
                    or (self.forms and _is_secret_name(name, item))
                    or (named and name == "value")
                ):
                    out[name] = REDACTED
                    if item != REDACTED:
                        paths.append(inside)
                else:
                    out[name] = self._value(item, inside, paths)
            return out
        if kind is list or kind is tuple:
            return self._list(value, path, paths)
        return value

    def _list(self, value: Any, path: str, paths: list[str]) -> list[Any]:
        """Return the items, without the lines of a key and without what follows a secret's name."""
        out: list[Any] = []
        in_key = follows = False
        for k, item in enumerate(value):
            inside = f"{path}[{k}]"
            if self.forms and type(item) is str:
                if in_key or follows:
                    out.append(REDACTED)
                    paths.append(inside)
                    in_key = in_key and not _KEY_ENDS.search(item)
                    follows = False
                    continue
                follows = item[:1] == "-" and bool(_OPTION.fullmatch(item))
                follows = follows or (k == 0 and len(value) == 2 and _is_secret_name(item, ""))
                if "-----BEGIN " in item and not _KEY_ENDS.search(item):
                    in_key = bool(_KEY_BEGINS.search(item))
            out.append(self._value(item, inside, paths))
        return out


DEFAULT = Redaction()


def without_secrets(text: str, coded: bool = True) -> str:
    """Return a text in which every secret that is known by its form is replaced.

    Parameters
    ----------
    text
        Any.
    coded
        Whether base64 is looked into.
    """
    text = _FORM.sub(REDACTED, text)
    text = _FORM_ANY_CASE.sub(REDACTED, text)
    text = _ASSIGNED.sub(_assigned, text)
    if coded and _holds_coded(text.lower()):
        text = _BASE64.sub(_decoded, text)
    return text


def _decoded(match: re.Match[str]) -> str:
    """Return a run of base64, or that it held a secret."""
    code = re.sub(r"[\r\n=]", "", match[0]).translate(_STANDARD)
    try:
        inside = binascii.a2b_base64(code[: len(code) - (len(code) % 4 == 1)] + "==").decode()
    except (binascii.Error, UnicodeDecodeError):
        return match[0]
    return match[0] if without_secrets(inside, coded=False) == inside else REDACTED


def _names_a_secret(value: Mapping[Any, Any]) -> bool:
    """Whether an object is a pair of name and value, as of an environment, and the name says so."""
    if "value" not in value or not isinstance(value["value"], str):
        return False
    name = value.get("name", value.get("key"))
    return isinstance(name, str) and _is_secret_name(name, "")


_STANDARD = str.maketrans("-_", "+/")
_LONGEST_NAME = 80


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
        if len(_CLEAN_NAMES) < 10_000 and len(name) <= _LONGEST_NAME and clean == name:
            _CLEAN_NAMES[name] = clean
    return clean


def _is_secret_name(name: Any, item: Any) -> bool:
    """Whether a field's name says secret; of numbers only a password is one, not a count."""
    kind = _SECRET_NAMES.get(name)
    if kind is None:
        kind = _kind_of_name(name) if isinstance(name, str) else ""
        if len(_SECRET_NAMES) < 10_000 and len(name) <= _LONGEST_NAME:
            _SECRET_NAMES[name] = kind
    if not kind or isinstance(item, bool):
        return False
    return kind == "always" or not isinstance(item, int | float)


def _kind_of_name(name: str) -> str:
    if not _NAMES.search(_CAMEL.sub("_", name)):
        return ""
    return "always" if re.search(r"(?i)pass|pwd|ssn", name) else "unless a number"
