"""The one redaction for messages, logs, tracebacks and URLs.

Two nets, one behind the other. Values known to be secret are replaced wherever they stand; and
whatever stands where a secret usually stands (a URL's password, ``password=…``, a bearer token)
is replaced even when nobody told us its value. When in doubt it hides too much.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus, unquote

MASK = "***"

# A shorter value would shred every text it is looked for in; only its place can give it away.
_SHORTEST_SEED = 4
# From this length on a value is replaced inside words too.
_UNMISTAKABLE = 8
# Passwords people choose that are words of our own output. Replacing them everywhere would
# garble the text and, worse, tell the reader what the password is.
_PLAIN_WORDS = frozenset({"larp", "larp_manager", "localhost", "password", "postgres", "secret"})

_SECRET_NAME = r"[a-z0-9_-]*(?:password|passwd|passphrase|pwd|secret|secret_?key|api_?key|token)"
# Closing quotes and brackets stay, so that a redacted JSON document is still one.
_UP_TO_SPACE = r"(?:\\.|\S)+?(?=[\"')\]},;]{0,8}(?:\s|$))"
_QUOTED = r"'(?:\\.|''|[^'\\\n])*'?|\"(?:\\.|[^\"\\\n])*\"?"

_URL = re.compile(r"(?<![a-z0-9+.-])([a-z][a-z0-9+.-]{0,30}://)(\S+)", re.IGNORECASE)
_QUERY_START = re.compile(r"\?[a-z_]+=", re.IGNORECASE)
_HOST = r"(?:\[[^\]]*\]|[^:@/,\[\]]*)(?::\d{0,5})?"
_HOSTS_AND_PATH = re.compile(rf"{_HOST}(?:,{_HOST})*(?:/.*)?", re.DOTALL)
_QUERY_SECRET = re.compile(rf"([?&]{_SECRET_NAME}=)([^&]*)", re.IGNORECASE)

_IN_CONTEXT: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        # …?password=sesame&sslpassword=sesame
        (
            rf"([?&]{_SECRET_NAME}=)[^&\s]+?(?=[\"')\]}},;]{{0,8}}(?:[&\s]|$))",
            rf"\g<1>{MASK}",
        ),
        # libpq keywords, keyword arguments and environment assignments: password='open sesame'
        (
            rf"(?<![?&a-z0-9_-])({_SECRET_NAME}\s*=(?!=)\s*)(?:{_QUOTED}|{_UP_TO_SPACE})",
            rf"\g<1>{MASK}",
        ),
        # A dict's repr or JSON: "password": "sesame"
        (
            rf"([\"']{_SECRET_NAME}[\"']\s*:\s*)([\"'])(?:\\.|(?!\2)[^\\\n])*\2",
            rf"\g<1>\g<2>{MASK}\g<2>",
        ),
        # ALTER ROLE larp PASSWORD 'sesame'
        (r"\b(password\s+)e?'(?:''|[^'])*'", rf"\g<1>'{MASK}'"),
        (
            r"\b(authorization[\"']?\s*[:=]\s*[\"']?(?:(?:basic|bearer|digest|token)\s+)?)"
            r"[^\s\"',}]+",
            rf"\g<1>{MASK}",
        ),
        (r"\b(bearer\s+)[a-z0-9._~+/=-]{8,}", rf"\g<1>{MASK}"),
    )
)


class Redactor:
    """Replace secrets in text by ``***``.

    Works without seeds too, from context alone: there is text to redact before the settings,
    and with them the secrets, are known.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._seeded = _seeded_pattern(secrets)

    def redact(self, text: str) -> str:
        """Return the text with every secret in it replaced; doing it twice changes nothing."""
        if self._seeded is not None:
            text = self._seeded.sub(MASK, text)
        text = _URL.sub(lambda match: match[1] + _mask_authority(match[1], match[2]), text)
        for pattern, replacement in _IN_CONTEXT:
            text = pattern.sub(replacement, text)
        return text


def redact_url(url: str) -> str:
    """Return the URL for display, its passwords replaced.

    Unlike :meth:`Redactor.redact` it knows where the URL ends, and so copes with spaces in it.
    """
    scheme, separator, rest = url.partition("://")
    if separator:
        url = scheme + separator + _mask_authority(scheme, rest)
    return _QUERY_SECRET.sub(rf"\g<1>{MASK}", url)


def url_secrets(url: str) -> tuple[str, ...]:
    """Return the passwords in a URL, as written and percent-decoded."""
    scheme, _, rest = url.partition("://")
    found = [secret for _, secret in _QUERY_SECRET.findall(url)]
    span = _secret_span(scheme, rest)
    if span is not None:
        found.append(rest[slice(*span)])
    spellings = (spelling for secret in found for spelling in (secret, unquote(secret)))
    return tuple(dict.fromkeys(filter(None, spellings)))


def _seeded_pattern(secrets: Iterable[str]) -> re.Pattern[str] | None:
    """Return one pattern for all spellings, longest first so that none hides part of another."""
    spellings = {
        spelling
        for secret in secrets
        if len(secret) >= _SHORTEST_SEED and secret.lower() not in _PLAIN_WORDS
        for spelling in _spellings(secret)
    }
    if not spellings:
        return None
    return re.compile("|".join(map(_literal, sorted(spellings, key=len, reverse=True))))


def _literal(spelling: str) -> str:
    if len(spelling) >= _UNMISTAKABLE:
        return re.escape(spelling)
    return rf"(?<![0-9A-Za-z]){re.escape(spelling)}(?![0-9A-Za-z])"


def _spellings(secret: str) -> set[str]:
    """Return the ways in which a secret is written: URLs, repr, JSON, libpq and SQL quoting."""
    encoded = {quote(secret, safe=safe, errors="replace") for safe in ("", "/", ":/", "!*'()~")}
    encoded.add(quote_plus(secret, errors="replace"))
    lower_hex = {re.sub("%..", lambda match: match[0].lower(), text) for text in encoded}
    json_ascii = secret.encode("ascii", "backslashreplace").decode("ascii")
    escaped = {
        repr(secret)[1:-1],
        ascii(secret)[1:-1],
        secret.replace("\\", "\\\\").replace("'", "\\'"),
        secret.replace("\\", "\\\\").replace('"', '\\"'),
        json_ascii.replace("\\x", "\\u00").replace('"', '\\"'),
        secret.replace("'", "''"),
    }
    return {secret} | encoded | lower_hex | escaped


def _mask_authority(scheme: str, rest: str) -> str:
    span = _secret_span(scheme, rest)
    if span is None:
        return rest
    start, end = span
    return rest[:start] + MASK + rest[end:]


def _secret_span(scheme: str, rest: str) -> tuple[int, int] | None:
    """Return where the password stands in what follows ``scheme://``.

    A password need not be encoded as it should be, so it ends at the last ``@`` that can end it.
    """
    query = _QUERY_START.search(rest)
    head = rest[: query.start()] if query else rest
    web = scheme.lower().startswith(("http", "git+http"))
    if _HOSTS_AND_PATH.fullmatch(head) and (web or "@" not in head):
        return _token_span(head) if web else None
    end = head.rfind("@")
    if end < 0:
        end = rest.rfind("@")
    start = rest.find(":", 0, max(end, 0)) + 1
    if start == 0:
        return _token_span(head) if web else None
    return (start, end) if start < end else None


def _token_span(head: str) -> tuple[int, int] | None:
    """Return where a token stands that is all there is before the ``@``: https://token@host."""
    user, at, _ = head.partition("@")
    return (0, len(user)) if at and user and "/" not in user else None
