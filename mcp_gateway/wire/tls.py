"""What the gateway trusts, and shows, when it connects by TLS."""

import ssl

from mcp_gateway.wire.network import Network


def context(network: Network) -> ssl.SSLContext:
    """The system's authorities and the network's own, TLS 1.2 at least, names always checked.

    Reading the authorities takes about 30 ms: one for the whole process, never one a call.
    Raises ValueError for a file that cannot be used.
    """
    made = ssl.create_default_context()
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_alpn_protocols(["http/1.1"])
    for path in network.ca:
        try:
            made.load_verify_locations(path)
        except OSError as error:
            raise ValueError(f"{path} holds no certificates in PEM: {reason(error)}") from None
    if network.certificate:
        try:
            made.load_cert_chain(network.certificate, network.key or None)
        except OSError as error:
            raise ValueError(
                f"{network.certificate} is no client certificate with its key: {reason(error)}"
            ) from None
    return made


def reason(error: OSError) -> str:
    """What went wrong, without the source lines that OpenSSL adds."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return error.strerror or str(error) or type(error).__name__
