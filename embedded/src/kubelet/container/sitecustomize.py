"""Lets a Python program in a pod of the embedded cluster look up services by name.

Python imports this module when it starts. Each line of the file EMBEDDED_HOSTS contains an address
and the names of a service. The file may change while the program runs. All other names are looked
up as usual.
"""

import _socket
import os

_file = os.environ.get("EMBEDDED_HOSTS", "")
_known = {"time": None, "names": {}}


def _address(host):
    name = host.decode("ascii", "replace") if isinstance(host, (bytes, bytearray)) else host
    if not isinstance(name, str):
        return host
    try:
        time = os.stat(_file).st_mtime_ns
        if time != _known["time"]:
            with open(_file) as lines:
                rows = [line.split() for line in lines]
            _known["names"] = {word: row[0] for row in rows for word in row[1:]}
            _known["time"] = time
    except OSError:
        return host
    return _known["names"].get(name.rstrip(".").lower(), host)


def _wrap(function):
    def lookup(host, *args, **kwargs):
        return function(_address(host), *args, **kwargs)

    return lookup


# The modules socket and gevent import these functions from _socket, so they are replaced before.
for _name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"):
    setattr(_socket, _name, _wrap(getattr(_socket, _name)))
