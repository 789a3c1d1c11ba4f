"""Turns go round: the least served first, a newcomer ahead of those before it, and no one is left out for good."""

import threading
import time

import pytest

from service.middleware import turns as module
from service.middleware.turns import Turn, Turns


def until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


class Requests:
    """Requests on one thread, whose pieces take the seconds they are said to; ``order`` is who computed when."""

    def __init__(self):
        self.turns = Turns(1)
        self.order = []
        self._holder = Turn(self.turns)
        self._threads = []
        self.turns.start(self._holder)

    def wait(self, name, *pieces, before=lambda: None):
        """A request that waits for its turn, and computes pieces of so many seconds; ``before`` runs in the first."""

        def compute():
            turn = Turn(self.turns)
            self.turns.start(turn)
            before()
            for seconds in pieces:
                self.order.append(name)
                self.turns.pass_on(turn, seconds)
            self.turns.end(turn, 0.0)

        waiting = len(self.turns._waiting)
        self._threads.append(threading.Thread(target=compute))
        self._threads[-1].start()
        until(lambda: len(self.turns._waiting) == waiting + 1)

    def run(self):
        self.turns.end(self._holder, 0.0)
        until(lambda: not any(thread.is_alive() for thread in self._threads))
        return "".join(self.order)


def test_equal_requests_alternate():
    requests = Requests()
    requests.wait("a", 1, 1, 1)
    requests.wait("b", 1, 1, 1)
    assert requests.run() == "ababab"


def test_who_had_less_time_goes_first():
    requests = Requests()
    requests.wait("a", 3, 3)
    requests.wait("b", 1, 1, 1, 1, 1, 1)
    # a: 3 seconds, b: 1, 2, 3; then a, which was the first of the two with 3 seconds, again.
    assert requests.run() == "abbbabbb"


def test_a_newcomer_goes_ahead_of_those_that_have_computed():
    requests = Requests()
    requests.wait("a", 1, 1, 1)
    requests.wait("b", 1, 1, 1)
    # The newcomer comes when a and b have had 2 seconds each: ahead of both, and no more than in turn after that.
    requests.wait("c", 4, before=lambda: requests.wait("n", 1, 1))
    order = requests.run()
    assert order.replace("n", "") == "abcabab"
    assert order[3] == "n"


def test_newcomers_do_not_keep_others_from_their_share():
    requests = Requests()
    requests.wait("a", 1, 1, 1)

    def another(count):
        if count:
            requests.wait("n", 1, before=lambda: another(count - 1))

    requests.wait("n", 1, before=lambda: another(20))
    order = requests.run()
    # There are two or three at any time, so a gets at least every fourth second, and is done long before the others.
    assert order.rindex("a") < 12
    assert order.count("n") == 21


def test_no_more_compute_at_once_than_there_are_threads(monkeypatch):
    monkeypatch.setattr(module, "TURN_SECONDS", 0.0)
    turns, lock = Turns(2), threading.Lock()
    computing = set()
    most = []

    def request(name):
        with Turn(turns) as turn:
            for _ in range(20):
                with lock:
                    computing.add(name)
                    most.append(len(computing))
                time.sleep(0.0005)
                with lock:
                    computing.remove(name)
                turn.pass_on()

    threads = [threading.Thread(target=request, args=(name,)) for name in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 2
    assert (turns._free, turns._active, turns._waiting) == (2, 0, [])


def test_an_error_ends_the_turn():
    turns = Turns(1)
    with pytest.raises(ZeroDivisionError), Turn(turns):
        _ = 1 / 0
    with Turn(turns):
        assert turns._active == 1


def test_a_request_alone_never_waits(monkeypatch):
    monkeypatch.setattr(module, "TURN_SECONDS", 0.0)
    with Turn(Turns(1)) as turn:
        assert turn.pass_on() is None
