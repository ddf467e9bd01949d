"""What is secret in a URL, and what is shown of URLs and of texts that quote them."""

import pytest
from pydantic import BaseModel

from portside.common.url import (
    SecretUrl,
    UserInfo,
    holds_secret,
    may_lead,
    redact,
    secrets_of,
    shown,
    split_login,
    with_login,
    without_secrets,
)

SECRET = [
    "https://anna:geheim@h/w",
    "https://geheim@h/x.git",
    "http://anna:geheim@[::1]:80/w",
    "ssh://git:geheim@h/x",
    "https://anna:gehe/im@h/w",
    "https://anna:gehe?im@h/w",
    "https://anna:gehe#im@h/w",
    "https://h/w?X-Amz-Algorithm=A&X-Amz-Credential=geheim&X-Amz-Signature=geheim",
    "https://h/w?X-Goog-Signature=geheim",
    "https://h/w?Expires=1&Signature=geheim&Key-Pair-Id=geheim",
    "https://h/w?sv=2020-02-10&se=2030&sig=geheim",
    "https://h/w?raw=1&access_token=geheim",
    "https://h/w?%74oken=geheim",
    "https://h/w?a=b;token=geheim",
    "https://h/w?TOKEN=geheim",
    "https://h/w?private-token=geheim",
    "https://h/w?api_key=geheim",
    "https://h/w?key=geheim",
    "https://h/w?password=geheim",
    "https://h/w#token=geheim",
]
PLAIN = [
    "https://h/w",
    "https://h:8443/w?download=true",
    "https://h/w?raw=1&ref=main&author=anna&design=new&monkey=1",
    "https://h/w?token=",
    "ssh://git@h/x",
    "git@h:x/y",
    "file:///a/b@1",
    "https://h/@scope/x@1.0",
    "http://h:80/@a",
    "/a/path?token=1",
]


@pytest.mark.parametrize("url", SECRET)
def test_secrets_are_found_and_not_shown(url: str) -> None:
    assert holds_secret(url)
    assert holds_secret(f"from {url} or elsewhere")
    assert secrets_of([url])
    for text in (
        shown(url),
        str(SecretUrl(url)),
        repr(SecretUrl(url)),
        f"{SecretUrl(url)}",
        without_secrets(f"'{url}'"),
    ):
        assert "gehe" not in text and "im@" not in text, text
    assert shown(url).startswith(f"{url.partition('://')[0]}://")


@pytest.mark.parametrize("url", PLAIN[:-1])
def test_what_is_no_secret_stays(url: str) -> None:
    assert not holds_secret(url)
    assert without_secrets(f"see {url} there") == f"see {url} there"
    assert split_login(url) == (url, None)


def test_a_path_is_a_path() -> None:
    assert shown("/a/path?token=1") == "/a/path?token=1"
    assert len(shown("/" + "long/" * 100)) <= 120


def test_a_place_is_shown_without_its_query() -> None:
    assert shown("https://u:p@host:8/a/b?sig=1#x") == "https://host:8/a/b"


def test_a_login_is_taken_out_and_unescaped() -> None:
    assert split_login("https://an%40na:p%3Aw@h:1/x?y") == ("https://h:1/x?y", UserInfo("an@na", "p:w"))
    assert split_login("https://tok%2Fen@h/x") == ("https://h/x", UserInfo("tok/en", None))
    assert split_login("https://a@b:c@h/x") == ("https://h/x", UserInfo("a@b", "c"))
    assert split_login("ssh://git@h/x") == ("ssh://git@h/x", None)


def test_what_programs_say_loses_secrets_however_they_write_them() -> None:
    secrets = secrets_of(["https://anna:pass%20word%21@h/x", "https://h/y?token=abcdef", "https://t:ab@h"])
    said = "tried pass word! and pass%20word%21, then abcdef at http://x:y@z/a?sig=1 (ab)"
    assert redact(said, secrets) == "tried *** and ***, then *** at http://z/a?sig=*** (ab)"


def test_a_text_without_secrets_stays_as_it_is() -> None:
    text = "Name it as http://HOST:PORT (most SOCKS proxies listen for HTTP too); me@x\n{'a': 'https://h/b'}"
    assert redact(text, ["abc"]) == text


def test_a_files_url_gets_the_login_of_its_own_server_only() -> None:
    index = "https://anna:pw@h/simple"
    assert with_login("https://h/files/x", [index]) == "https://anna:pw@h/files/x"
    assert with_login("https://h:443/files/x", [index]) == "https://anna:pw@h:443/files/x"
    assert with_login("https://other@h/files/x", [index]) == "https://other@h/files/x"
    others = [index, "https://berta:pw@h/links/a,b?x", "https://carl:pw@h/"]
    assert with_login("https://h/links/a%2Cb/x", others) == "https://berta:pw@h/links/a%2Cb/x"
    for url in ("http://h/x", "https://h:444/x", "https://i/x", "https://h.i/x", "/h/x", "file:///h/x"):
        assert with_login(url, [index]) == url


def test_where_a_server_may_lead() -> None:
    assert (
        may_lead("http://a/", "https://b/")
        and may_lead("http://a/", "HTTP://b/")
        and may_lead("https://a", "https://b")
    )
    for base, to in [
        ("https://a/", "http://a/"),
        ("http://a/", "file:///etc/passwd"),
        ("https://a/", "file:///etc/passwd"),
        ("http://a/", "ftp://a/"),
        ("http://a/", "/etc/passwd"),
        ("file:///a", "https://a/"),
    ]:
        assert not may_lead(base, to)


def test_a_model_holds_them_and_does_not_write_them_out() -> None:
    class Model(BaseModel):
        place: SecretUrl

    model = Model.model_validate({"place": "https://anna:geheim@h/x"})
    assert model.place.full == "https://anna:geheim@h/x"
    assert Model(place=model.place) == model
    assert "geheim" not in f"{model!r} {model} {model.model_dump_json()} {model.model_dump()}"
