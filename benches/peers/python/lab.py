"""What both Python servers share: the flags, the parameters and the bodies."""

import argparse
import json
import os
import re
import sys
import time
import urllib.parse

UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}
BUDGET_UNITS = {"H": 3600, "M": 60, "S": 1, "m": 1e-3, "u": 1e-6, "n": 1e-9}
STYLES = ("context", "drop", "detached", "blocking", "polling", "spin")
BODY = 1024 * 1024


class Refused(Exception):
    """A request that is answered with an error before it is served."""

    def __init__(self, status, reason, text):
        super().__init__(text)
        self.status, self.reason = status, reason


def duration(text):
    match = re.fullmatch(r"([0-9]+)(us|ms|s|m|h)", text)
    if not match:
        raise argparse.ArgumentTypeError("takes a duration such as 250ms, 2s or 1m")
    return int(match[1]) * UNITS[match[2]]


def address(text):
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise argparse.ArgumentTypeError("takes an address such as 127.0.0.1:0")
    return host, int(port)


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
        ("threads", int, 0), ("blocking-threads", int, 512), ("max-connections", int, 0), ("on-disconnect", str, ""),
        ("request-timeout", duration, "2s"), ("read-header-timeout", duration, "5s"), ("read-timeout", duration, "10s"),
        ("write-timeout", duration, "10s"), ("idle-timeout", duration, "60s"), ("shutdown-timeout", duration, "5s"),
    ]:
        flag(name, kind, default)
    return parser.parse_args()


def budget(headers, longest):
    """How long the request may take: `longest` seconds, or less if its caller says so in `headers`."""
    for name, form in (("grpc-timeout", "([0-9]{1,8})([HMSmun])"), ("x-envoy-expected-rq-timeout-ms", "([0-9]{1,18})()")):
        for text in headers.get(name, []):
            match = re.fullmatch(form, text)
            if not match or len(headers[name]) > 1:
                raise Refused(400, "bad-request", f"header `{name}` is malformed or given more than once")
            longest = min(longest, int(match[1]) * BUDGET_UNITS[match[2] or "m"])
    return longest


def identity(headers, made):
    """The request's id, and whether the client named it."""
    given = headers.get("x-request-id", [""])[0]
    return (given, True) if re.fullmatch("[!-~]{1,64}", given) else (f"py-{made}", False)


def params(query, **takes):
    """The parameters as `takes` reads them: for each a default, and a function or the words there are."""
    found = {name: default for name, (default, _) in takes.items()}
    for name, texts in urllib.parse.parse_qs(query, keep_blank_values=True).items():
        if name not in takes or len(texts) > 1:
            raise Refused(400, "bad-request", f"parameter `{name}` is unknown or given more than once")
        read = takes[name][1]
        try:
            found[name] = read(texts[0]) if callable(read) else read[read.index(texts[0])]
        except (ValueError, argparse.ArgumentTypeError) as error:
            raise Refused(400, "bad-request", f"parameter `{name}` {error}") from None
    return found


def at_most(read, least, most):
    def checked(text):
        value = read(text)
        if not least <= value <= most or not text[0].isdecimal():
            raise ValueError(f"is out of range: it takes {least} to {most}")
        return value
    return checked


TICK = at_most(duration, 0.001, 3600)
SLOW = {"work": (5.0, at_most(duration, 0, 3600)), "style": ("context", STYLES),
        "tick": (0.01, TICK), "body": ("read", ("read", "ignore", "drop"))}
STREAM = {"chunks": (10, at_most(int, 0, 10000)), "every": (0.1, TICK)}
FANOUT = {"width": (4, at_most(int, 1, 1000)), "work": (0.1, SLOW["work"][1]),
          "fail": (None, at_most(int, 0, 999)), "tick": (0.01, TICK)}


def ticks(work, tick):
    """The instants at which the units of work end, counted from now."""
    start, done = time.monotonic(), 0
    while done < work:
        done = min(done + tick, work)
        yield start + done


def document(**fields):
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def wrong(request_id, reason, text):
    return document(error=str(text), reason=reason, request_id=request_id)
