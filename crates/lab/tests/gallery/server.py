"""A server of the standard library alone: `server.py PORT plain|watching`."""

import asyncio
import os
import re
import socket
import sys

WITNESS = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def tell(name: str | None, word: str) -> None:
    host, _, port = os.environ["LAB_WITNESS"].rpartition(":")
    if name:
        WITNESS.sendto(f"{name} {word}".encode(), (host, int(port)))


def milliseconds(pattern: str, head: str, default: int) -> int:
    found = re.search(pattern + r"(\d+)(ms|s|m|S)\b", head)
    return int(found[1]) * {"s": 1000, "S": 1000}.get(found[2], 1) if found else default


async def work(name: str | None, units: int) -> None:
    tell(name, "start")
    try:
        for unit in range(units):
            await asyncio.sleep(0.01)
            tell(name, f"beat {unit + 1}")
    except asyncio.CancelledError:
        tell(name, "end canceled")
        raise
    tell(name, "end completed")


async def slow(reader: asyncio.StreamReader, head: str) -> str:
    if re.search(r"[?&]style=(?!context\b)", head) or re.search(r"[?&]work=\D", head):
        return "400 Bad Request"
    name = re.search(r"(?i)x-request-id: (\S+)", head)
    task = asyncio.ensure_future(work(name and name[1], milliseconds("work=", head, 5000) // 10))
    race = {task}
    if sys.argv[2] == "watching":
        race.add(asyncio.ensure_future(reader.read(1)))
    timeout = milliseconds("(?i:grpc-timeout: )", head, 2000) / 1000
    await asyncio.wait(race, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    done = task.done()
    for one in race:
        one.cancel()
    return "200 OK" if done else "504 Gateway Timeout"


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        path = head.split()[1].split("?")[0]
        status = await slow(reader, head) if path == "/slow" else "200 OK" if path == "/fast" else "404 Not Found"
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}".encode())
        await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    writer.close()


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


asyncio.run(main())
