"""A long stream through a real server: memory stays flat, and a client that stops reading harms nobody."""

import asyncio
import json
import time

import h11
import httpx

LINES = 200_000
SETTLED = LINES // 8  # after so many lines every buffer has reached its size
GROWTH = 10 * 1024 * 1024
"""Memory may still move by so much, a fifth of what the answers take as text."""


class Stream:
    """One POST /v1/bulk, written and read at the same time."""

    def __init__(self, port):
        self.port = port
        self.lines = 0
        self.last = b""
        self._protocol = h11.Connection(h11.CLIENT)

    async def open(self):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        headers = [
            ("Host", "localhost"),
            ("Content-Type", "application/x-ndjson"),
            ("Transfer-Encoding", "chunked"),
        ]
        self._write(h11.Request(method="POST", target="/v1/bulk", headers=headers))

    def _write(self, event):
        self.writer.write(self._protocol.send(event))

    async def write(self, count, *, text="Fine {}"):
        for start in range(0, count, 500):
            lines = (json.dumps({"text": text.format(number)}) for number in range(start, min(start + 500, count)))
            self._write(h11.Data(data="".join(f"{line}\n" for line in lines).encode()))
            await self.writer.drain()

    async def end(self):
        self._write(h11.EndOfMessage())
        await self.writer.drain()

    async def read(self, *, watch=lambda _lines: None):
        while True:
            event = self._protocol.next_event()
            if event is h11.NEED_DATA:
                self._protocol.receive_data(await self.reader.read(65_536))
            elif isinstance(event, h11.Data):
                self.lines += event.data.count(b"\n")
                self.last = (self.last + bytes(event.data))[-2_000:]
                watch(self.lines)
            elif isinstance(event, h11.EndOfMessage):
                return


def test_memory_stays_flat_over_a_long_stream(server):
    memory = []

    def watch(lines):
        if lines // SETTLED > len(memory):
            memory.append(server.memory())

    async def run():
        stream = Stream(server.port)
        await stream.open()
        reading = asyncio.create_task(stream.read(watch=watch))
        await stream.write(LINES)
        await stream.end()
        await reading
        return stream

    stream = asyncio.run(asyncio.wait_for(run(), 300))
    assert stream.lines == LINES
    assert json.loads(stream.last.splitlines()[-1])["index"] == LINES - 1
    assert max(memory) - memory[0] < GROWTH, memory


def test_a_client_that_stops_reading_stalls_nobody_and_its_work_stops(server):
    def processor_seconds():
        return sum(sum(one.cpu_times()[:2]) for one in [server.process, *server.process.children(recursive=True)])

    async def run():
        stream = Stream(server.port)
        await stream.open()
        padded = "Fine {}" + " " * 400  # 80 MB, which no buffer on the way holds
        writing = asyncio.create_task(stream.write(200_000, text=padded))
        await asyncio.sleep(6)
        before = processor_seconds()
        await asyncio.sleep(2)
        used = processor_seconds() - before
        started = time.perf_counter()
        async with httpx.AsyncClient() as client:
            answer = await client.post(f"{server.url}/v1/predict", json={"texts": ["fine"]})
        waited = time.perf_counter() - started
        finished = writing.done()
        writing.cancel()
        stream.writer.transport.abort()
        return finished, used, answer.status_code, waited

    finished, used, status, waited = asyncio.run(asyncio.wait_for(run(), 60))
    assert not finished  # it is kept from sending more
    assert used < 0.5  # of 2 seconds
    assert status == 200
    assert waited < 2
