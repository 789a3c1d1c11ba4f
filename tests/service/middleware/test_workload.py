"""What cannot be answered in time is refused at once, and told when to come again."""

from types import SimpleNamespace

import pytest

from service.errors import RequestError
from service.middleware.concurrency import ConcurrencyLimiter
from service.middleware.request_context import RequestContext
from service.middleware.workload import LARGE_BYTES, Workload

ROOM = ConcurrencyLimiter(max_in_flight=9, max_streams=9, max_bytes=10**6)


def request(*, seconds_left=10.01, computed=0.0):
    """A request that has so much time left, and has computed for so long."""
    context = RequestContext(ROOM, seconds=seconds_left)
    context.start_clock()
    context.turn = SimpleNamespace(seconds=computed)
    return context


def workload(*, threads=1):
    """The work of a process that has answered one request: 1,000 tokens in a second, of 4,000 bytes."""
    work = Workload(threads, max_request_tokens=10_000)
    context = request()
    job = work.admit(4_000, context)
    context.tokens, context.knows_tokens, context.turn = 1000, True, SimpleNamespace(seconds=1.0)
    work.learn(job)
    work.end(job)
    return work


def refused(work, size, context=None, **options):
    with pytest.raises(RequestError) as caught:
        work.admit(size, context or request(), **options)
    assert caught.value.code == "overloaded"
    return int(caught.value.headers["retry-after"])


def test_requests_are_admitted_as_long_as_all_end_within_four_fifths_of_their_time():
    work = workload()
    work.admit(16_000, request())  # 4 seconds
    work.admit(16_000, request())  # all take turns, so both end after 8 seconds, and the limit is 8
    assert refused(work, 16_000) == 4  # it would end after 12 seconds
    assert refused(work, 4_000) == 1  # itself after 3, but the others after 9


def test_a_small_request_is_admitted_beside_large_ones():
    work = workload()
    work.admit(16_000, request())
    work.admit(16_000, request())
    work.admit(396, request())  # 0.099 seconds, in turn with the two: 0.3


def test_many_small_requests_are_refused_in_the_end():
    work = workload()
    for _ in range(88):
        work.admit(360, request())  # 0.09 seconds
    assert refused(work, 400) == 1


def test_what_has_been_computed_counts_no_more():
    work = workload()
    first = request()
    work.admit(28_000, first)  # 7 seconds
    assert refused(work, 8_000) == 1  # both together 9
    first.turn = SimpleNamespace(seconds=5.0)
    work.admit(8_000, request())


def test_the_place_of_an_answered_request_is_free():
    work = workload()
    job = work.admit(28_000, request())
    refused(work, 8_000)
    work.end(job)
    work.admit(8_000, request())


def test_tokens_count_once_they_are_known():
    work = workload()
    first = request()
    work.admit(28_000, first)
    refused(work, 8_000)
    first.tokens, first.knows_tokens = 100, True  # of 7,000 bytes each; only 0.1 seconds
    work.admit(8_000, request())


def test_a_request_alone_is_given_its_chance():
    workload().admit(40_000, request())  # 10 seconds, all of its time


def test_nothing_is_refused_before_anything_is_known():
    work = Workload(1, max_request_tokens=10_000)
    for _ in range(5):
        work.admit(10**6, request())


def test_no_request_has_more_tokens_than_it_may():
    work = workload()
    work.admit(200, request(seconds_left=100))
    work.admit(10**9, request(seconds_left=12.6))  # 10,000 tokens, so 10 seconds, and 0.05 of the other


def test_two_threads_take_half_the_time():
    work = workload(threads=2)
    for _ in range(4):
        work.admit(16_000, request())
    assert refused(work, 16_000) == 2  # 20 seconds of work, so 10


def test_a_request_ends_no_sooner_than_one_thread_computes_it():
    work = workload(threads=4)
    work.admit(400, request())
    assert refused(work, 36_000) == 1  # 9 seconds


def test_streams_take_their_turns_too():
    work = workload()
    assert refused(work, 16_000, streams=2) == 4
    work.admit(16_000, request(), streams=1)


def test_large_requests_wait_for_each_other():
    work = Workload(1, max_request_tokens=10**6)
    context = request()
    job = work.admit(LARGE_BYTES, context)
    context.tokens, context.knows_tokens, context.turn = 1000, True, SimpleNamespace(seconds=1.0)
    work.learn(job)
    work.admit(7 * LARGE_BYTES, request())  # 7 seconds
    assert refused(work, 2 * LARGE_BYTES) == 1  # 2 seconds, which begin when the 7 are over


def test_the_rate_follows_the_process():
    work = workload()
    for _ in range(50):  # ten times slower than before
        job = work.admit(40, context := request())
        context.tokens, context.knows_tokens, context.turn = 10, True, SimpleNamespace(seconds=0.1)
        work.learn(job)
        work.end(job)
    work.admit(400, request())
    assert refused(work, 4_000) == 3  # 10 seconds and one for the other


def test_a_request_that_is_late_anyway_keeps_no_one_out():
    work = workload()
    late = request(seconds_left=1.0)
    work.admit(16_000, late)  # alone
    work.admit(4_000, request())
