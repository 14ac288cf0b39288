"""Hide secrets in messages, logs, tracebacks and URLs.

A secret is recognised in three ways:

- By its place: what stands where a secret usually stands (a URL's password, ``password=…``, a
  bearer token) is hidden, even if its value is not known.
- By its value, in every spelling and wherever it stands, if the value is unlikely to mean
  something else.
- By both: a value that may mean something else, because it is short, a word of larp's messages
  or a public name, is hidden after a word such as ``password``.

The names of databases, roles, schemas and hosts are public. They stay readable even if a
password equals one of them or is part of it: there they reveal nothing, but a masked name would
reveal the password. In all other doubtful cases the text is hidden.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import quote, quote_plus, unquote

MASK = "***"

# A shorter value occurs in every text.
_SHORTEST_DISTINCT = 4
# From this length on a value is hidden inside words too.
_SHORTEST_INSIDE_WORDS = 8
# Passwords people choose that are words of our own output.
_PLAIN_WORDS = frozenset(
    {
        *("database", "default", "development", "health", "larp", "larp_manager", "localhost"),
        *("migration", "password", "postgres", "postgresql", "production", "public", "schema"),
        *("secret", "staging", "testing"),
    }
)

_SECRET_NAME = r"[a-z0-9_-]*(?:password|passwd|passphrase|pwd|secret|secret_?key|api_?key|token)"
# Closing quotes and brackets stay, so that a redacted JSON document is still one.
_UP_TO_SPACE = r"(?:\\.|\S)+?(?=[\"')\]},;]{0,8}(?:\s|$))"
_QUOTED = r"'(?:\\.|''|[^'\\\n])*'?|\"(?:\\.|[^\"\\\n])*\"?"

_URL = re.compile(r"(?<![a-z0-9+.-])([a-z][a-z0-9+.-]{0,30}://)(\S+)", re.IGNORECASE)
_QUERY_START = re.compile(r"\?[a-z_]+=", re.IGNORECASE)
_HOST = r"(?:\[[^\]]*\]|[^:@/,\[\]]*)(?::\d{0,5})?"
_HOSTS_AND_PATH = re.compile(rf"{_HOST}(?:,{_HOST})*(?:/.*)?", re.DOTALL)
_QUERY_NAME = re.compile(r"[?&](?:user|dbname|host|hostaddr|service)=([^&]*)", re.IGNORECASE)
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
        # A dict's repr or JSON: "password": "sesame", 'password': b'sesame'
        (
            rf"([\"']{_SECRET_NAME}[\"']\s*:\s*b?)([\"'])(?:\\.|(?!\2)[^\\\n])*\2",
            rf"\g<1>\g<2>{MASK}\g<2>",
        ),
        # ALTER ROLE larp PASSWORD 'sesame'
        (r"\b(password\s+)e?'(?:''|[^'])*'", rf"\g<1>'{MASK}'"),
        (r"\b(password\s+)(\$\w*\$)[^$]*\2", rf"\g<1>\g<2>{MASK}\g<2>"),
        (
            r"\b(authorization[\"']?\s*[:=]\s*[\"']?(?:(?:basic|bearer|digest|token)\s+)?)"
            r"[^\s\"',}]+",
            rf"\g<1>{MASK}",
        ),
        (r"\b(bearer\s+)[a-z0-9._~+/=-]{8,}", rf"\g<1>{MASK}"),
    )
)

_QUOTES = r"[\"'`$]"
# Between the word that announces a secret and its value: password = 'x', "password": b'x',
# password is x, PASSWORD 'x'. A longer value may follow directly: with password sesame.
_JOINT = (
    rf"(?:{_QUOTES}?\s*(?:[:=-]>|:=|=>|[:=])\s*[bru]?{_QUOTES}{{0,3}}"
    rf"|\s+(?:is|was)\s+{_QUOTES}?|\s+[bru]?{_QUOTES}{{1,3}})"
)
_WORD = rf"(?<![?&a-z0-9_-]){_SECRET_NAME}"


@dataclass(frozen=True)
class Redactor:
    """Replaces secrets in text by ``***``.

    It works without known secrets too: some text is redacted before the settings are read.
    """

    secrets: tuple[str, ...] = field(default=(), repr=False)
    public_names: tuple[str, ...] = ()
    """Names of databases, roles, schemas and hosts."""

    def redact(self, text: str) -> str:
        """Return the text with every secret masked. A second time changes nothing."""
        text = self._mask_values(text)
        if self._announced is not None:
            text = self._announced.sub(lambda match: f"{match[match.lastindex or 0]}{MASK}", text)
        text = _URL.sub(lambda match: match[1] + _mask_authority(match[1], match[2]), text)
        for pattern, replacement in _IN_CONTEXT:
            text = pattern.sub(replacement, text)
        return text

    def _mask_values(self, text: str) -> str:
        """Mask the distinct secrets, except inside a public name."""
        if self._values is None:
            return text
        if self._names is None:
            return self._values.sub(MASK, text)
        names = [match.span() for match in self._names.finditer(text)]
        parts, written, position, nearest = [], 0, 0, 0
        while found := self._values.search(text, position):
            while nearest < len(names) and names[nearest][1] <= found.start():
                nearest += 1
            if nearest < len(names) and _is_inside(found.span(), names[nearest]):
                position = found.start() + 1
                continue
            parts += [text[written : found.start()], MASK]
            written = position = found.end()
        return "".join([*parts, text[written:]])

    @cached_property
    def _distinct(self) -> frozenset[str]:
        """The secrets that are hidden wherever they stand."""
        return frozenset(
            secret
            for secret in self.secrets
            if len(secret) >= _SHORTEST_DISTINCT
            and secret.lower() not in _PLAIN_WORDS
            and secret not in self.public_names
        )

    @cached_property
    def _values(self) -> re.Pattern[str] | None:
        return _compile_any(_match_value(item) for item in _spell_all(self._distinct))

    @cached_property
    def _names(self) -> re.Pattern[str] | None:
        """The public names that contain a distinct secret, as whole words."""
        names = {spelling for name in self.public_names for spelling in (name, quote(name))}
        containing = {name for name in names if any(item in name for item in self._distinct)}
        longest_first = sorted(containing, key=len, reverse=True)
        return _compile_any(rf"(?<!\w){re.escape(name)}(?!\w)" for name in longest_first)

    @cached_property
    def _announced(self) -> re.Pattern[str] | None:
        """The other secrets, after a word such as ``password`` or in ``user:secret@``."""
        others = _spell_all(secret for secret in self.secrets if secret not in self._distinct)
        values = "|".join(map(re.escape, others))
        long = "|".join(re.escape(item) for item in others if len(item) >= _SHORTEST_DISTINCT)
        return _compile_any(
            [rf"((?i:{_WORD}{_JOINT}))(?:{values})(?!\w)", rf"(:)(?:{values})(?=@)"] * bool(values)
            + [rf"((?i:{_WORD}\s+))(?:{long})(?!\w)"] * bool(long)
        )


def redact_url(url: str) -> str:
    """Return the URL for display, its passwords masked.

    Unlike `Redactor.redact` it knows where the URL ends, so the URL may contain spaces.
    """
    scheme, separator, rest = url.partition("://")
    if separator:
        url = scheme + separator + _mask_authority(scheme, rest)
    return _QUERY_SECRET.sub(rf"\g<1>{MASK}", url)


def find_url_secrets(url: str) -> tuple[str, ...]:
    """Return the passwords in a URL, as written and percent-decoded."""
    scheme, _, rest = url.partition("://")
    found = [secret for _, secret in _QUERY_SECRET.findall(url)]
    span = _find_password(scheme, rest)
    if span is not None:
        found.append(rest[slice(*span)])
    return _decode_all(found)


def find_url_names(url: str) -> tuple[str, ...]:
    """Return the user, hosts and database in a URL, as written and percent-decoded."""
    scheme, _, rest = url.partition("://")
    span = _find_password(scheme, rest)
    if span is not None:
        rest = rest[: span[0] - 1] + rest[span[1] :]
    query = _QUERY_START.search(rest)
    head, parameters = (rest[: query.start()], query.string) if query else (rest, "")
    user, at, place = head.rpartition("@")
    hosts, _, database = place.partition("/")
    found = [user if at else "", database.partition("?")[0]]
    found += [value for item in _QUERY_NAME.findall(parameters) for value in item.split(",")]
    found += [re.sub(r":\d*$", "", host).strip("[]") for host in hosts.split(",")]
    return _decode_all(found)


def _decode_all(words: Iterable[str]) -> tuple[str, ...]:
    spellings = (spelling for word in words for spelling in (word, unquote(word)))
    return tuple(dict.fromkeys(filter(None, spellings)))


def _is_inside(inner: tuple[int, int], outer: tuple[int, int]) -> bool:
    return outer[0] <= inner[0] and inner[1] <= outer[1]


def _compile_any(patterns: Iterable[str]) -> re.Pattern[str] | None:
    joined = "|".join(patterns)
    return re.compile(joined) if joined else None


def _match_value(spelling: str) -> str:
    if len(spelling) >= _SHORTEST_INSIDE_WORDS:
        return re.escape(spelling)
    return rf"(?<![0-9A-Za-z]){re.escape(spelling)}(?![0-9A-Za-z])"


def _spell_all(secrets: Iterable[str]) -> list[str]:
    """Return all spellings, the longest first: one may contain another."""
    spellings = {spelling for secret in secrets if secret for spelling in _spell(secret)}
    return sorted(spellings, key=len, reverse=True)


def _spell(secret: str) -> Iterator[str]:
    """Yield the ways to write a secret: plain, in URLs, repr, JSON, libpq, SQL and Base64."""
    yield secret
    for safe in ("", "/", ":/", "!*'()~"):
        yield from _spell_percents(quote(secret, safe=safe, errors="replace"))
    yield from _spell_percents(quote_plus(secret, errors="replace"))
    yield repr(secret)[1:-1]
    yield ascii(secret)[1:-1]
    yield secret.replace("\\", "\\\\").replace("'", "\\'")
    yield secret.replace("\\", "\\\\").replace('"', '\\"')
    json_ascii = secret.encode("ascii", "backslashreplace").decode("ascii")
    yield json_ascii.replace("\\x", "\\u00").replace('"', '\\"')
    yield secret.replace("'", "''")
    if len(secret) >= _SHORTEST_INSIDE_WORDS:
        yield b2a_base64(secret.encode(errors="replace"), newline=False).decode().rstrip("=")


def _spell_percents(encoded: str) -> tuple[str, str]:
    """Return the text with its escapes in upper and in lower case: %2F, %2f."""
    return encoded, re.sub("%..", lambda match: match[0].lower(), encoded)


def _mask_authority(scheme: str, rest: str) -> str:
    span = _find_password(scheme, rest)
    if span is None:
        return rest
    start, end = span
    return rest[:start] + MASK + rest[end:]


def _find_password(scheme: str, rest: str) -> tuple[int, int] | None:
    """Return start and end of the password in what follows ``scheme://``.

    The password may be unencoded, so it ends at the last ``@`` that can end it.
    """
    query = _QUERY_START.search(rest)
    head = rest[: query.start()] if query else rest
    web = scheme.lower().startswith(("http", "git+http"))
    if _HOSTS_AND_PATH.fullmatch(head) and (web or "@" not in head):
        return _find_token(head) if web else None
    end = head.rfind("@")
    if end < 0:
        end = rest.rfind("@")
    start = rest.find(":", 0, max(end, 0)) + 1
    if start == 0:
        return _find_token(head) if web else None
    return (start, end) if start < end else None


def _find_token(head: str) -> tuple[int, int] | None:
    """Return start and end of a token that stands alone before the ``@``: https://token@host."""
    user, at, _ = head.partition("@")
    return (0, len(user)) if at and user and "/" not in user else None
