"""Reads what the lab asks of `/slow`, and tells it what becomes of the work. Copy this file beside your server.

    work = witness.Work(query, headers)      # two mappings
    with work:                               # says `start`, and at the end `end completed|canceled|panicked`
        for pause in work:                   # says `beat N` after each pause
            time.sleep(pause)
"""

import asyncio
import os
import re
import socket
import time

ADDRESS = os.environ.get("LAB_WITNESS")
UNITS = {"ms": 1e-3, "s": 1, "m": 60, "h": 3600}
BUDGET_UNITS = {"H": 3600, "M": 60, "S": 1, "m": 1e-3, "u": 1e-6, "n": 1e-9}
CANCELS = (asyncio.CancelledError, GeneratorExit, TimeoutError, ConnectionError)
heartbeats = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


class Malformed(ValueError):
    """A parameter that cannot be understood: the answer is 400 with this text."""


class Work:
    """The work of one request, in units of `tick` seconds."""

    def __init__(self, query, headers, bodies=("read", "ignore", "drop")):
        """`bodies` says less where a framework reads the body whatever the handler does."""
        self.id, self.beats = headers.get("x-request-id"), 0
        seconds, self.tick = duration(query, "work", "5s"), duration(query, "tick", "10ms")
        self.ticks = round(seconds / self.tick)
        # True when the body is to be read before the work begins.
        self.reads = choice(query, "body", bodies) == "read"
        choice(query, "style", ["context"])
        # What the client still waits for, in seconds; without its word two seconds.
        budget = re.fullmatch("([0-9]{1,8})([HMSmun])", headers.get("grpc-timeout", "2S"))
        self.timeout = int(budget[1]) * BUDGET_UNITS[budget[2]] if budget else 2
        self.deadline = time.monotonic() + self.timeout

    def __enter__(self):
        self.say("start")

    def __iter__(self):
        began_at = time.monotonic()
        for number in range(1, self.ticks + 1):
            yield max(0, began_at + number * self.tick - time.monotonic())
            self.beats = number
            self.say(f"beat {number}")

    def __exit__(self, kind, _error, _trace):
        panicked = kind and not issubclass(kind, CANCELS)
        self.say("end " + ("completed" if self.beats >= self.ticks else "panicked" if panicked else "canceled"))

    def say(self, word):
        if ADDRESS and self.id:
            host, port = ADDRESS.rsplit(":", 1)
            heartbeats.sendto(f"{self.id} {word}".encode(), (host, int(port)))


def choice(query, name, words):
    word = query.get(name, words[0])
    if word not in words:
        raise Malformed(f"parameter `{name}` takes {', '.join(words)}")
    return word


def duration(query, name, default):
    match = re.fullmatch("([0-9]+)(ms|s|m|h)", query.get(name, default))
    if not match or int(match[1]) == 0:
        raise Malformed(f"parameter `{name}` takes a duration such as 250ms or 2s")
    return int(match[1]) * UNITS[match[2]]
