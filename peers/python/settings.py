"""The flags of both servers."""

import argparse
import importlib
import os
import re
import sys

UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}


def duration(text):
    match = re.fullmatch(r"([0-9]+)(us|ms|s|m|h)", text)
    if not match:
        raise argparse.ArgumentTypeError("takes a duration such as 250ms, 2s or 1m")
    return int(match[1]) * UNITS[match[2]]


def timeout(text):
    if duration(text) == 0:
        raise argparse.ArgumentTypeError("takes a duration above zero")
    return duration(text)


def count(text):
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("takes a whole number, 1 or more")
    return int(text)


def address(text):
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise argparse.ArgumentTypeError("takes an address such as 127.0.0.1:0")
    return host, int(port)


def database(text):
    if not re.match("postgres(ql)?://", text):
        raise argparse.ArgumentTypeError("takes a URL like postgres://user:password@127.0.0.1:5432/name")
    return text


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, message + "\n")


def settings():
    """Reads the flags. Those that the standard library has no counterpart for are taken and have no effect."""
    parser = Parser(allow_abbrev=False)
    parser.add_argument("--version", action="version", version="Python " + sys.version.split()[0])

    def flag(name, kind, default):
        default = os.environ.get("LAB_" + name.upper().replace("-", "_"), default)
        parser.add_argument("--" + name, type=kind, default=default)

    for name, kind, default in [
        ("listen", address, "127.0.0.1:0"), ("admin", address, "127.0.0.1:0"), ("witness", address, None),
        ("threads", count, "1"), ("blocking-threads", count, "512"), ("max-connections", count, "1"),
        ("request-timeout", timeout, "2s"), ("read-header-timeout", timeout, "5s"), ("read-timeout", timeout, "10s"),
        ("write-timeout", timeout, "10s"), ("idle-timeout", timeout, "60s"), ("shutdown-timeout", timeout, "5s"),
        ("on-disconnect", str, ""), ("upstream", address, None), ("reserve", timeout, "5ms"),
        ("database", database, None), ("drivers", str, None),
    ]:
        flag(name, kind, default)
    read = parser.parse_args()
    if read.drivers:
        sys.path.append(read.drivers)
    return read


def driver(settings, name):
    """Loads the driver `name` of PostgreSQL; none without --database."""
    try:
        return importlib.import_module(name) if settings.database else None
    except ImportError as error:
        sys.exit(f"failed to load the driver of --database: {error}")


def bound(make, *arguments):
    """Makes what listens on an address; one that is taken is one line on stderr."""
    try:
        return make(*arguments)
    except OSError as error:
        sys.exit(f"failed to listen: {error}")
