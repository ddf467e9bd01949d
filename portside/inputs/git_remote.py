"""What a git that asks a server is told on top of the machine's settings, so that it shows nobody a password, and goes
nowhere else than it was sent to.

git hands the URL of a server to its helpers as an argument, which everybody on the machine can read, and it does so
with what `url.NEW.insteadOf` of the machine's configuration puts in. So the URL that git gets has no userinfo; a
credential helper (gitcredentials(7)) supplies it, and takes it from the environment, which only its owner can read.
"""

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from portside.common.url import shown, split_login
from portside.errors import InputError

REMOTE = "portside-asked"
"""The remote's name in these settings."""
_ALIAS = "portside-asked:"
"""Stands for the URL, so that nothing of the machine's configuration replaces a part of it once more."""
_USER, _PASSWORD = "PORTSIDE_GIT_USER", "PORTSIDE_GIT_PASSWORD"
_HELPER = f'!f() {{ test "$1" = get && printf "username=%s\\npassword=%s\\n" "${_USER}" "${_PASSWORD}"; }}; f'
_NETWORK = ("http", "https", "ssh", "git")


def with_settings(environment: Mapping[str, str], settings: Sequence[tuple[str, str]]) -> dict[str, str]:
    """An environment that tells git further settings (git-config(1), GIT_CONFIG_COUNT)."""
    result = dict(environment)
    first = int(result.get("GIT_CONFIG_COUNT") or 0)
    for number, (key, value) in enumerate(settings, first):
        result |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return result | {"GIT_CONFIG_COUNT": str(first + len(settings))}


def remote_environment(environment: Mapping[str, str], url: str, follows: bool) -> dict[str, str]:
    """The environment for a git that asks the server of `url`, which it knows as the remote REMOTE.

    url: as git would use it, with all that the configuration replaces in it. follows: whether the machine lets git
    follow redirects. Raises InputError for an SSH URL with a password, which would become an argument of ssh.
    """
    scheme = urlsplit(url).scheme.lower() if "://" in url else ""
    bare, login = split_login(url)
    if login is not None and scheme not in ("http", "https"):
        raise InputError(
            f"{shown(url)}: its URL holds a password, which {scheme} cannot use", "Use a key, or an agent."
        )
    # What runs a command, or waits for what somebody else sends into an open file, is no place to ask.
    forbidden = {"ext", "fd"}
    settings = [(f"remote.{REMOTE}.url", _ALIAS), (f"url.{bare}.insteadOf", _ALIAS)]
    settings += [(f"protocol.{name}.allow", "never") for name in sorted(forbidden)]
    # A redirect goes only where the first request got one, and not to objects of another server ("always" would).
    settings.append(("http.followRedirects", "initial" if follows else "false"))
    if scheme in _NETWORK:
        settings.append(("protocol.file.allow", "never"))
        forbidden.add("file")
    if scheme == "https":
        # What a redirect leads to is not what the user gave (git-config(1), protocol.allow).
        settings.append(("protocol.http.allow", "user"))
        forbidden.add("http")
    result = {}
    if login is not None:
        key = f"credential.{scheme}://{bare.partition('://')[2].partition('/')[0]}"
        if login.password is None:
            # A helper of the machine may know the password of this user; if none does, the user is a token.
            settings.append((f"{key}.username", login.user))
        else:
            settings.append((f"{key}.helper", ""))
        settings.append((f"{key}.helper", _HELPER))
        result = {_USER: login.user, _PASSWORD: login.password or ""}
    if (allowed := environment.get("GIT_ALLOW_PROTOCOL")) is not None:
        # It would win over the settings.
        result["GIT_ALLOW_PROTOCOL"] = ":".join(name for name in allowed.split(":") if name not in forbidden)
    return with_settings(environment, settings) | result
