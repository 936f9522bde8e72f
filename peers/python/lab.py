"""What both servers share: how a request is read, and the bodies of the answers."""

import argparse
import json
import math
import re
import threading
import time
import urllib.parse

from settings import duration

BUDGET_UNITS = {"H": 3600, "M": 60, "S": 1, "m": 1e-3, "u": 1e-6, "n": 1e-9}
STYLES = ("context", "drop", "detached", "blocking", "polling", "spin", "process", "upstream", "query",
          "query-dropped")
BODY = 1024 * 1024
TARGET = 8 * 1024
HEAD = 16 * 1024
stopping = threading.Event()  # Set once the server stops accepting: the answers from then on are the last.


class Refused(Exception):
    """A request that is answered with an error before it is served."""

    def __init__(self, status, reason, text):
        super().__init__(text)
        self.status, self.reason = status, reason


def budget(headers, longest):
    """How long the request may take: `longest` seconds, or less if its caller says so in `headers`."""
    for name, form in (("grpc-timeout", "([0-9]{1,8})([HMSmun])"), ("x-envoy-expected-rq-timeout-ms", "([0-9]{1,18})()")):
        for text in headers.get(name, []):
            match = re.fullmatch(form, text)
            if not match or len(headers[name]) > 1:
                raise Refused(400, "bad-request", f"header `{name}` is malformed or given more than once")
            longest = min(longest, int(match[1]) * BUDGET_UNITS[match[2] or "m"])
    return longest


def target(text):
    """The path and the query of a request's target, which may be in absolute form."""
    if len(text) > TARGET:
        raise Refused(414, "limit", f"request target over {TARGET} bytes")
    parts = urllib.parse.urlsplit(text)
    return parts.path, parts.query


def length(headers):
    """The length of the body. A body in chunks, or of two lengths, is refused, and the connection closed behind it."""
    if "transfer-encoding" in headers:
        raise Refused(501, "bad-request", "transfer coding not implemented")
    lengths = headers.get("content-length", ["0"])
    if len(lengths) > 1 or not re.fullmatch("[0-9]{1,18}", lengths[0]):
        raise Refused(400, "bad-request", "header `content-length` takes a whole number of bytes")
    return int(lengths[0])


def identity(headers, made):
    """The request's id, and whether the client named it."""
    given = headers.get("x-request-id", [""])[0]
    return (given, True) if re.fullmatch("[!-~]{1,64}", given) else (f"py-{made}", False)


def subject(headers):
    given = headers.get("x-subject", [])
    if len(given) > 1 or given and not re.fullmatch("[ -~]{1,256}", given[0]):
        raise Refused(400, "bad-request", "header `x-subject` takes 1 to 256 printable characters")
    return given[0] if given else None


def traceparent(headers):
    """The `traceparent` of the request; one that is malformed counts as none."""
    given = headers.get("traceparent", [])
    form = "[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"
    return given[0] if len(given) == 1 and re.fullmatch(form, given[0]) else None


def tracestate(headers):
    """The `tracestate` beside a `traceparent`, its fields as one list; one with a malformed member counts as none."""
    if not traceparent(headers):
        return None
    text, keys = ",".join(headers.get("tracestate", [])), set()
    for member in filter(None, (member.strip(" \t") for member in text.split(","))):
        match = re.fullmatch("([a-z0-9][a-z0-9_*/@-]{0,255})=[ -+\\--<>-~]{1,256}", member)
        if not match or match[1] in keys or len(keys) == 32:
            return None
        keys.add(match[1])
    return text


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
        "tick": (0.01, TICK), "body": ("read", ("read", "ignore", "drop")), "hops": (1, at_most(int, 1, 8))}
STREAM = {"chunks": (10, at_most(int, 0, 10000)), "every": (0.1, TICK)}
FANOUT = {"width": (4, at_most(int, 1, 1000)), "work": (0.1, SLOW["work"][1]),
          "fail": (None, at_most(int, 0, 999)), "tick": (0.01, TICK)}


def ticks(work, tick):
    """The instants at which the units of work end, counted from now."""
    start = time.monotonic()
    for number in range(1, math.ceil(round(work / tick, 6)) + 1):
        yield start + min(number * tick, work)


def called(settings, style):
    """Refuses a style that needs an upstream or a database where there is none."""
    if style == "upstream" and not settings.upstream:
        problem = "takes `upstream` of a server that was started with --upstream"
        raise Refused(400, "bad-request", f"parameter `style` {problem}")
    if style.startswith("query") and not settings.database:
        problem = f"takes `{style}` of a server that was started with --database"
        raise Refused(400, "bad-request", f"parameter `style` {problem}")


def statement(request_id, work):
    """The query that takes as long as the work. The id is in a comment, which no asterisk of it can end."""
    return f"/* {request_id.replace('*', '?')} */ SELECT pg_sleep({work:.6f})"


def no_database():
    return Refused(503, "database", "the database failed")


def document(**fields):
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def wrong(request_id, reason, text):
    return document(error=str(text), reason=reason, request_id=request_id)
