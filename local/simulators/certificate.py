"""A certificate for this machine's loopback names, since MSAL speaks to no login server without https."""

from __future__ import annotations

import ssl
from pathlib import Path


def loopback_certificate(folder: Path, *names: str) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS context for localhost, 127.0.0.1 and `names`, and the file of the authority to trust."""
    import trustme

    authority = trustme.CA()
    authority_file = folder / "simulator-ca.pem"
    authority.cert_pem.write_to_path(str(authority_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    authority.issue_cert("localhost", "127.0.0.1", *names).configure_cert(context)
    return context, authority_file
