"""Throughput of the model behind a pool of threads, with and without batching across requests.

    python -m benchmarks.batching [--seconds 0.5] [--rounds 5]

Each client sends one text at a time and waits for its answer; texts are short, medium and long in turn. Alone, each
text is one task of the pool. Batched, a thread takes all waiting texts, up to the padded tokens of one run, and never
waits for more. Both variants take turns, and the figures are medians over the rounds. There is no HTTP and no limit.
"""

import argparse
import asyncio
import queue
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from statistics import median

from rich.console import Console
from rich.table import Table

from model_store import Prediction, SentimentModel
from model_store.graph_runner import PADDED_TOKENS_A_BATCH

TEXTS = (
    "It is not bad.",
    "The start was slow, but the rest of the evening was warm, funny and honest.",
    "The movie was terribly exciting from the first scene to the last, and I'd gladly see it again with all friends.",
)
THREADS = (1, 2)
CLIENTS = (1, 4, 16, 64)

Ask = Callable[[str], Awaitable[Prediction]]
Waiting = tuple[str, asyncio.Future[Prediction]]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=0.5, help="length of a turn")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each variant")
    options = parser.parse_args()
    model = SentimentModel.load()
    tokens = ", ".join(str(len(model.tokenize(text))) for text in TEXTS)
    table = Table(
        "threads", "clients", "alone, texts/s", "batched, texts/s", "ratio", title=f"Texts of {tokens} tokens"
    )
    for threads in THREADS:
        for clients in CLIENTS:
            alone, batched = asyncio.run(compare(model, threads, clients, options=options))
            ratio = median(b / a for a, b in zip(alone, batched, strict=True))
            table.add_row(str(threads), str(clients), f"{median(alone):.0f}", f"{median(batched):.0f}", f"{ratio:.2f}")
    Console().print(table)


async def compare(
    model: SentimentModel, threads: int, clients: int, *, options: argparse.Namespace
) -> tuple[list[float], list[float]]:
    """Texts per second of both variants in each round, after an uncounted one."""
    loop = asyncio.get_running_loop()
    pool = ThreadPoolExecutor(threads)
    waiting: queue.SimpleQueue[Waiting | None] = queue.SimpleQueue()
    batchers = [threading.Thread(target=batch, args=(model, waiting, loop)) for _ in range(threads)]
    for thread in batchers:
        thread.start()

    async def alone(text: str) -> Prediction:
        return (await loop.run_in_executor(pool, model.predict, [text]))[0]

    async def batched(text: str) -> Prediction:
        answer = loop.create_future()
        waiting.put((text, answer))
        return await answer

    rates: dict[str, list[float]] = {"alone": [], "batched": []}
    for _ in range(options.rounds + 1):
        rates["alone"].append(await hammer(alone, clients, options.seconds))
        rates["batched"].append(await hammer(batched, clients, options.seconds))
    for _ in batchers:
        waiting.put(None)
    pool.shutdown()
    return rates["alone"][1:], rates["batched"][1:]


def batch(model: SentimentModel, waiting: "queue.SimpleQueue[Waiting | None]", loop: asyncio.AbstractEventLoop) -> None:
    """Answer the waiting texts, as many together as fit one run of the model, until None arrives."""
    while (first := waiting.get()) is not None:
        taken = [first]
        texts = [model.tokenize(first[0])]
        while max(map(len, texts)) * (len(texts) + 1) <= PADDED_TOKENS_A_BATCH["cpu"]:
            try:
                another = waiting.get_nowait()
            except queue.Empty:
                break
            if another is None:
                waiting.put(None)  # each thread takes one None; this thread takes its own after this batch
                break
            taken.append(another)
            texts.append(model.tokenize(another[0]))
        for (_, answer), prediction in zip(taken, model.predict_tokenized(texts), strict=True):
            loop.call_soon_threadsafe(answer.set_result, prediction)


async def hammer(ask: Ask, clients: int, seconds: float) -> float:
    """Texts per second that are answered to this many clients."""
    texts = cycle(TEXTS)
    started = time.perf_counter()
    answered = 0

    async def client() -> None:
        nonlocal answered
        while time.perf_counter() < started + seconds:
            await ask(next(texts))
            answered += 1

    await asyncio.gather(*(client() for _ in range(clients)))
    return answered / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
