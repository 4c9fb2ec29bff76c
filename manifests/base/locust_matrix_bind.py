"""Locust's web UI on a node without IPv6. locust_matrix.py imports this.

With --web-host "*" Locust listens on all addresses of both families. It opens an IPv6 socket for that, which serves
IPv4, too. A kernel without IPv6 refuses it. Then this opens an IPv4 socket instead. (The port for the workers needs
nothing: Locust itself looks whether there is IPv6.)
"""

import errno
import socket

from gevent.pywsgi import WSGIServer


def with_fallback(listen):
    """The function that opens the socket, tried with IPv4 if all addresses of IPv6 cannot be used."""

    def get_listener(address, backlog=None, family=None):
        try:
            return listen(address, backlog, family)
        except OSError as error:
            has_no_ipv6 = error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
            if not has_no_ipv6 or family != socket.AF_INET6 or address[0] not in ("", "::"):
                raise
            return listen(("0.0.0.0", address[1]), backlog, socket.AF_INET)

    return get_listener


WSGIServer.get_listener = staticmethod(with_fallback(WSGIServer.get_listener))
