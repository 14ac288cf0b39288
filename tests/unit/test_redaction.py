"""The redaction hides what is secret, whatever it stands in, and leaves the rest readable."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from urllib.parse import quote, quote_plus

import pytest

from larp_cli.redaction import MASK, Redactor, find_url_names, find_url_secrets, redact_url

AWKWARD = (
    "open sesame please",
    "se%same%word",
    "se%40same%20word",
    "se@same@word",
    "se:same:word",
    "se/same/word",
    "se'same'word",
    'se"same"word',
    "se\\same\\word",
    "sésame-öffne-dich",
    "開け胡麻開け胡麻開け胡麻",
    "se$same&word=1",
    "se?same=word",
    "se#same#word",
    "[sesame]{word}",
    "sesame.*(word",
)


@pytest.mark.parametrize("secret", AWKWARD)
def test_a_seeded_secret_never_survives_in_any_spelling(secret: str) -> None:
    """However a text quotes or encodes a known secret, it is replaced."""
    spellings = (
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        quote(secret, safe="").lower() if secret.isascii() else secret,
        repr(secret),
        ascii(secret),
        json.dumps(secret),
        json.dumps(secret, ensure_ascii=False),
        secret.replace("'", "''"),
    )

    for spelling in spellings:
        redacted = Redactor((secret,)).redact(f"before {spelling} after")

        assert redacted.startswith("before ") and redacted.endswith(" after")
        assert spelling.strip("'\"") not in redacted
        assert "same" not in redacted or secret == "開け胡麻開け胡麻開け胡麻"
        assert "word" not in redacted


# A space ends a URL inside a text, and ?word= starts its query: there only a seed helps.
@pytest.mark.parametrize("password", [w for w in AWKWARD if " " not in w and "?" not in w])
@pytest.mark.parametrize("host", ["db", "[::1]:5432", "one:5432,two:5433", "%2Ftmp", ""])
def test_a_password_in_a_url_is_hidden_without_being_known(password: str, host: str) -> None:
    """A URL gives its password away by its place, even one that should have been encoded."""
    redacted = Redactor().redact(f"cannot reach postgresql://larp:{password}@{host}/larp now")

    assert redacted == f"cannot reach postgresql://larp:{MASK}@{host}/larp now"


@pytest.mark.parametrize("password", AWKWARD)
def test_a_displayed_url_holds_no_password(password: str) -> None:
    """A URL for display may hold spaces and still hides all of the password."""
    raw = f"postgresql://larp:{password}@db/larp?sslmode=require&sslpassword={quote(password)}"

    shown = redact_url(raw)

    assert password not in shown
    assert quote(password) not in shown
    assert shown.startswith("postgresql://larp:***@")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql:///larp?password=sesame&x=1", "postgresql:///larp?password=***&x=1"),
        ("…?a=1&sslpassword=sesame'", "…?a=1&sslpassword=***'"),
        ("host=db password=sesame user=larp", "host=db password=*** user=larp"),
        (r"password='se\'same word' host=db", "password=*** host=db"),
        ("password = 'se''same' host=db", "password = *** host=db"),
        ("password='sesame with no end", "password=***"),
        ("PGPASSWORD=sesame psql", "PGPASSWORD=*** psql"),
        ("SECRET_KEY=sesame", "SECRET_KEY=***"),
        ("connect(password='sesame', port=1)", "connect(password=***, port=1)"),
        ("{'password': 'sesame', 'port': 1}", "{'password': '***', 'port': 1}"),
        ('{"secret_key": "ses\\"ame"}', '{"secret_key": "***"}'),
        ("{'PGPASSWORD': b'sesame'}", "{'PGPASSWORD': b'***'}"),
        ("ALTER ROLE larp PASSWORD 'ses''ame'", "ALTER ROLE larp PASSWORD '***'"),
        ("ALTER ROLE larp PASSWORD $x$sesame$x$", "ALTER ROLE larp PASSWORD $x$***$x$"),
        ("psql --password=sesame", "psql --password=***"),
        ("Authorization: Bearer sesame", "Authorization: Bearer ***"),
        ("authorization: Basic c2VzYW1l", "authorization: Basic ***"),
        ("sent Bearer sesame-sesame", "sent Bearer ***"),
        ("https://sesame@github.com/larp", "https://***@github.com/larp"),
        ("redis://:sesame@cache", "redis://:***@cache"),
    ],
)
def test_a_secret_is_known_by_its_place(text: str, expected: str) -> None:
    """URLs, libpq keywords, assignments, reprs, SQL and headers hide what stands in them."""
    assert Redactor().redact(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        'password authentication failed for user "larp"',
        "SECRET_KEY: must have at least 32 characters in production",
        "postgresql://db:5432/larp?user=larp@azure&sslmode=require",
        "postgresql://larp@db/larp",
        "http://localhost:8000/status@now",
        "https://github.com/larp/larp@v1",
        "the token is missing, and so is the password",
        "password: no",
    ],
)
def test_text_without_secrets_is_left_alone(text: str) -> None:
    """A message that merely speaks of passwords stays readable."""
    assert Redactor().redact(text) == text


@pytest.mark.parametrize("secret", ["", "a", "db", "abc"])
def test_a_very_short_secret_does_not_shred_the_text(secret: str) -> None:
    """Replacing one letter everywhere would leave nothing to read."""
    text = "a database abc, where db is short"

    assert Redactor((secret,)).redact(text) == text


def test_a_short_secret_is_replaced_as_a_word_only() -> None:
    """Four letters may be part of any word, and are a secret only by themselves."""
    assert Redactor(("tree",)).redact("the tree in the street") == "the *** in the street"


def test_a_password_that_is_a_word_of_ours_is_hidden_by_place_only() -> None:
    """Replacing "postgres" everywhere would tell that it is the password."""
    redacted = Redactor(("postgres",)).redact("user postgres at postgresql://postgres:postgres@db")

    assert redacted == "user postgres at postgresql://postgres:***@db"


NAMES = ("myapp", "db.myapp.example", "myapp_owner", "larp_manager")
"""Database, role and schema of one name, and other names that contain it."""

PUBLIC = {
    # password, text, what is shown
    "role and database": ("myapp", "database myapp as myapp", "database myapp as myapp"),
    "hint": ("myapp", "larp db reset --confirm myapp", "larp db reset --confirm myapp"),
    "URL": ("myapp", "postgresql://myapp:myapp@myapp/myapp", "postgresql://myapp:***@myapp/myapp"),
    "URL without scheme": ("myapp", "myapp:myapp@db/myapp", "myapp:***@db/myapp"),
    "query": ("myapp", "postgresql:///myapp?password=myapp", "postgresql:///myapp?password=***"),
    "JSON": (
        "myapp",
        '{"database": "myapp", "password": "myapp"}',
        '{"database": "myapp", "password": "***"}',
    ),
    "libpq": (
        "myapp",
        "user=myapp password=myapp dbname=myapp",
        "user=myapp password=*** dbname=myapp",
    ),
    "authentication": (
        "myapp",
        'password authentication failed for user "myapp"',
        'password authentication failed for user "myapp"',
    ),
    "sentence": ("myapp", "no login with password myapp", "no login with password ***"),
    "sentence with is": ("myapp", "the password is 'myapp'.", "the password is '***'."),
    "colon": ("myapp", "PGPASSWORD: myapp", "PGPASSWORD: ***"),
    "arrow": ("myapp", "'password' => 'myapp'", "'password' => '***'"),
    "option": ("myapp", "connect --password myapp", "connect --password ***"),
    "dollar quotes": ("myapp", "PASSWORD $$myapp$$", "PASSWORD $$***$$"),
    "password for a name": ("myapp", "a password for myapp", "a password for myapp"),
    "part of a name": ("owner", "myapp_owner is the owner", "myapp_owner is the ***"),
    "part of a host": ("example", "db.myapp.example: example", "db.myapp.example: ***"),
    "part of a word": ("manager-7", "larp_manager-7", "larp_***"),
    "longer than a name": ("myapp-7f3a", "myapp: myapp-7f3a", "myapp: ***"),
    "a name and more": ("x-myapp-7f3a", "myapp x-myapp-7f3a", "myapp ***"),
    "other case": ("MyApp", "myapp: MyApp", "myapp: ***"),
    "short": ("abc", "password: abc, abc", "password: ***, abc"),
    "short word after the word": ("a", "type the password a second time", None),
    "our own word": ("production", "production: password production", "production: password ***"),
    "Base64": ("open-sesame", "data: b3Blbi1zZXNhbWU=", "data: ***="),
}
"""Passwords that equal a public name or our own words, or are a part of them."""


@pytest.mark.parametrize(
    ("password", "text", "shown"), PUBLIC.values(), ids=[name.replace(" ", "-") for name in PUBLIC]
)
def test_a_password_is_hidden_and_a_name_is_shown(
    password: str, text: str, shown: str | None
) -> None:
    """A name is public where it stands as that name, even if the password equals it."""
    redactor = Redactor((password,), NAMES)

    assert redactor.redact(text) == (text if shown is None else shown)
    assert redactor.redact(redactor.redact(text)) == redactor.redact(text)


@pytest.mark.parametrize("password", AWKWARD)
@pytest.mark.parametrize("template", ["password {}", "password={!r}", "u:{}@h", "'password': {!r}"])
def test_an_awkward_password_that_is_a_name_too_is_hidden_by_its_place(
    password: str, template: str
) -> None:
    """The names decide nothing where a password stands."""
    redacted = Redactor((password,), (password,)).redact(template.format(password))

    assert "same" not in redacted
    assert MASK in redacted


def test_the_longer_of_two_secrets_goes_first() -> None:
    """A secret that is part of another one leaves no remainder of it behind."""
    assert Redactor(("sesame42", "sesame42-and-more")).redact("sesame42-and-more") == MASK


@pytest.mark.parametrize("password", AWKWARD)
def test_redacting_twice_changes_nothing(password: str) -> None:
    """Text passes several redacting hands on its way out."""
    redactor = Redactor((password,))
    text = f"password='{password}' postgresql://u:{password}@h/d?password={password} {password!r}"

    once = redactor.redact(text)

    assert redactor.redact(once) == once
    assert password not in once


def test_a_redacted_json_document_is_still_one() -> None:
    """A log line in JSON can be redacted as a whole."""
    document = json.dumps(
        {
            "message": "password=sesame",
            "url": "postgresql://larp:sesame@db/larp?password=sesame",
            "password": "sesame",
            "sql": "password='sesame'",
        }
    )

    redacted = Redactor().redact(document)

    assert "sesame" not in redacted
    assert set(json.loads(redacted)) == {"message", "url", "password", "sql"}


@pytest.mark.parametrize(
    "filler",
    [
        "a",
        "a-",
        "my-sesame-sesame ",
        "sesame-sesame",
        "password ",
        "'",
        "\\",
        "a:",
        "@",
        "password",
        "?a=",
        '"',
    ],
)
def test_long_text_takes_linear_time(filler: str) -> None:
    """No hostile text makes the redaction hang: 200,000 characters end well within a second."""
    text = "postgresql://u:" + filler * (200_000 // len(filler))

    started = time.process_time()
    Redactor(("sesame-sesame", "a", "ap"), ("my-sesame-sesame", "ap")).redact(text)

    assert time.process_time() - started < 5


def test_the_secrets_of_a_url_are_its_passwords_raw_and_decoded() -> None:
    """Both spellings are secret: the driver sees one, the operator typed the other."""
    url = "postgresql://larp:s%40same@db/larp?sslpassword=k%2Fey&sslmode=require"

    assert set(find_url_secrets(url)) == {"s%40same", "s@same", "k%2Fey", "k/ey"}


@pytest.mark.parametrize(
    ("url", "names"),
    [
        ("postgresql://larp:sesame@db:5432/app?sslmode=require", {"larp", "db", "app"}),
        ("postgresql://larp@one:1,[::1]:2/app", {"larp", "one", "::1", "app"}),
        ("postgresql://l%40rp:p@ss/word@db/%C3%A4pp", {"l%40rp", "l@rp", "db", "%C3%A4pp", "äpp"}),
        (
            "postgresql:///app?host=/run/pg,db&user=larp&password=x",
            {"app", "/run/pg", "db", "larp"},
        ),
        ("postgresql://", set()),
    ],
)
def test_the_names_of_a_url_are_its_user_hosts_and_database(url: str, names: set[str]) -> None:
    """No piece of the password is among them."""
    assert set(find_url_names(url)) == names


@pytest.mark.parametrize("url", ["", "larp", "postgresql://", "postgresql://db:5432/larp"])
def test_a_url_without_password_has_no_secrets(url: str) -> None:
    """A port is no password."""
    assert find_url_secrets(url) == ()
    assert redact_url(url) == url


def test_importing_the_redaction_is_light() -> None:
    """It is imported before the settings, also by commands that need none."""
    code = (
        "import sys, larp_cli.redaction; print('pydantic' in sys.modules, 'asyncio' in sys.modules)"
    )

    outcome = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert outcome.stdout.split() == ["False", "False"]
