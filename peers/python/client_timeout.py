"""The timeout that Python programs know best, urlopen(url, timeout=…), and what it does not do.

Usage: client_timeout.py http://HOST:PORT/slow?work=3s [SECONDS]

It is the patience of this client, for each single read of its socket. The server is told nothing: it learns at most that
a connection was closed, and whether it looks is up to the server.
"""

import sys
import time
import urllib.error
import urllib.request

url, timeout = sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 1.0
request = urllib.request.Request(url, headers={"X-Request-Id": "client-timeout"})
began = time.monotonic()
try:
    with urllib.request.urlopen(request, timeout=timeout) as response:
        seen = f"{response.status}: {response.read().decode().strip()}"
except urllib.error.HTTPError as error:
    seen = f"{error.code}: {error.read().decode().strip()}"
except TimeoutError as error:
    seen = f"gave up: {error}"
print(f"after {time.monotonic() - began:.3f} s the client {'saw ' if seen[0].isdigit() else ''}{seen}")
