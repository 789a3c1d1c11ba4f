"""Runs wait while others take the memory, and none waits for ever."""

import threading
import time

import pytest

from model_store.working_memory import BYTES_PER_TOKEN, SMALL_TOKENS, WorkingMemory


def peak(memory, sizes):
    """The largest sum of tokens that were under way at once, and whether all runs ended."""
    lock, running, most = threading.Lock(), [], []

    def run(tokens):
        with memory.taken(tokens):
            with lock:
                running.append(tokens)
                most.append(sum(running))
            time.sleep(0.005)
            with lock:
                running.remove(tokens)

    threads = [threading.Thread(target=run, args=(tokens,)) for tokens in sizes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)
    return max(most)


def test_runs_together_stay_within_the_limit():
    memory = WorkingMemory(3000 * BYTES_PER_TOKEN)
    assert peak(memory, [1000, 2000, 1500, 500, 3000, 400] * 6) <= 3000


def test_a_run_beyond_the_limit_goes_alone():
    memory = WorkingMemory(3000 * BYTES_PER_TOKEN)
    assert peak(memory, [5000, 1000, 5000]) == 5000


def test_a_small_run_is_not_delayed():
    memory = WorkingMemory(1)
    with memory.taken(5000), memory.taken(SMALL_TOKENS), memory.taken(1):
        pass


def test_nothing_waits_without_a_limit():
    memory = WorkingMemory()
    with memory.taken(5000), memory.taken(5000):
        pass


def test_a_run_that_fails_gives_its_memory_back():
    memory = WorkingMemory(1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), memory.taken(5000):
            1 / 0  # noqa: B018
