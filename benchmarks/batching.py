"""What a batcher across requests would gain: the model behind a pool of threads, with one and without.

    python -m benchmarks.batching [--seconds 0.5] [--rounds 5]

Clients send one text each, short, middling and long in turn, and the next one when they have their answer. Alone, each
text is a task of the pool. Batched, a thread takes all that waits, up to the padded tokens of one run, and waits for
nothing. Both take turns; the figures are medians of the rounds. No HTTP, no limits.
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
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=0.5, help="a turn's length")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    model = SentimentModel.load()
    tokens = ", ".join(str(len(model.tokenize(text))) for text in TEXTS)
    table = Table(
        "threads", "clients", "alone, texts/s", "batched, texts/s", "ratio", title=f"Texts of {tokens} tokens"
    )
    for threads in THREADS:
        for clients in CLIENTS:
            alone, batched = asyncio.run(race(model, threads, clients, options=options))
            ratio = median(b / a for a, b in zip(alone, batched, strict=True))
            table.add_row(str(threads), str(clients), f"{median(alone):.0f}", f"{median(batched):.0f}", f"{ratio:.2f}")
    Console().print(table)


async def race(
    model: SentimentModel, threads: int, clients: int, *, options: argparse.Namespace
) -> tuple[list[float], list[float]]:
    """Texts a second of both, for each round, after one that is not counted."""
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
    """Answers what waits, as much together as fits one run of the model, until it is told to end."""
    while (first := waiting.get()) is not None:
        taken = [first]
        texts = [model.tokenize(first[0])]
        while max(map(len, texts)) * (len(texts) + 1) <= PADDED_TOKENS_A_BATCH:
            try:
                another = waiting.get_nowait()
            except queue.Empty:
                break
            if another is None:
                waiting.put(None)  # for whoever it was meant; this thread ends at the next one
                break
            taken.append(another)
            texts.append(model.tokenize(another[0]))
        for (_, answer), prediction in zip(taken, model.predict_tokenized(texts), strict=True):
            loop.call_soon_threadsafe(answer.set_result, prediction)


async def hammer(ask: Ask, clients: int, seconds: float) -> float:
    """Texts a second that so many clients are answered."""
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
