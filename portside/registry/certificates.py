"""Whom a registry is believed by its certificate, and by which one it knows us."""

import os
import ssl
from pathlib import Path

from portside.common.home import home_folder
from portside.errors import RegistryError
from portside.net.client import shared_tls_context, tls_context
from portside.net.pip_settings import read_pip_settings


def certificates(host: str) -> ssl.SSLContext:
    """The machine's trusted authorities, and those kept for this registry as Docker and Podman keep them.

    certs.d/HOST:PORT/ holds `*.crt` (authorities) and `*.cert` with `*.key` (a certificate of our own).
    """
    cert = os.environ.get("SSL_CERT_FILE") or read_pip_settings().cert
    places = (home_folder() / ".config/containers", Path("/etc/containers"), Path("/etc/docker"))
    folder = next((folder for place in places if (folder := place / "certs.d" / host).is_dir()), None)
    if folder is None:
        return shared_tls_context(cert)
    context = tls_context(cert)
    try:
        for authority in sorted(folder.glob("*.crt")):
            context.load_verify_locations(authority)
        for own in sorted(folder.glob("*.cert")):
            context.load_cert_chain(own, own.with_suffix(".key"))
    except OSError as error:
        raise RegistryError(f"a certificate in {folder} cannot be used: {error}", "Correct or remove it.") from None
    return context
