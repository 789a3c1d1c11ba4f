"""The container's limit is found, and requests are refused before it is reached."""

import asyncio
import ctypes

import numpy as np
import pytest

from service.errors import RequestError
from service.middleware.concurrency import ConcurrencyLimiter
from service.server import memory
from service.server.memory import HeapTrimmer, MemoryGuard, container_limit, resident_bytes, trim_heap

MEBIBYTE = 2**20


def files(folder, **contents):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name.replace("_dot_", ".")).write_text(content)


def own(tmp_path, *lines):
    path = tmp_path / "cgroup"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_limit_of_a_container_with_cgroups_of_version_2(tmp_path):
    groups = tmp_path / "groups"
    files(
        groups / "pod" / "container",
        memory_dot_max="536870912\n",
        memory_dot_current="300000000\n",
        memory_dot_stat="anon 200000000\ninactive_file 60000000\nactive_file 40000000\n",
    )
    files(groups / "pod", memory_dot_max="max\n")
    limit = container_limit(groups, own(tmp_path, "0::/pod/container"))
    assert limit.limit == 536_870_912
    assert limit.used() == 200_000_000  # the kernel drops cached files first


def test_the_lowest_limit_around_a_group_counts(tmp_path):
    groups = tmp_path / "groups"
    files(groups / "pod" / "container", memory_dot_max="2000\n", memory_dot_current="5\n", memory_dot_stat="")
    files(groups / "pod", memory_dot_max="1000\n", memory_dot_current="700\n", memory_dot_stat="")
    limit = container_limit(groups, own(tmp_path, "0::/pod/container"))
    assert (limit.limit, limit.used()) == (1000, 700)


def test_the_limit_of_a_container_with_cgroups_of_version_1(tmp_path):
    # Inside a container the process's path is that on the host, and the root of the mount is the container.
    files(
        tmp_path / "groups" / "memory",
        memory_dot_limit_in_bytes="268435456\n",
        memory_dot_usage_in_bytes="200000000\n",
        memory_dot_stat="cache 1\ntotal_inactive_file 50000000\ntotal_active_file 10000000\n",
    )
    path = own(tmp_path, "9:cpu,cpuacct:/docker/abc", "4:memory:/docker/abc", "0::/")
    limit = container_limit(tmp_path / "groups", path)
    assert (limit.limit, limit.used()) == (268_435_456, 140_000_000)


@pytest.mark.parametrize("content", ["max\n", "9223372036854771712\n"])
def test_no_limit_is_none(tmp_path, content):
    files(tmp_path / "groups", memory_dot_max=content)
    assert container_limit(tmp_path / "groups", own(tmp_path, "0::/")) is None
    assert container_limit(tmp_path / "groups", tmp_path / "absent") is None


def guarded(limit, used):
    guard = MemoryGuard(limit, lambda: used[0])
    return ConcurrencyLimiter(max_in_flight=9, max_streams=9, max_bytes=10**12, guard=guard)


def test_requests_are_refused_before_the_limit_is_reached():
    used = [800 * MEBIBYTE]
    room = guarded(1000 * MEBIBYTE, used)
    room.reserve(90 * MEBIBYTE)  # up to nine tenths
    with pytest.raises(RequestError, match="nearly used up") as caught:
        room.reserve(110 * MEBIBYTE)
    assert (caught.value.code, caught.value.status) == ("overloaded", 429)
    assert room.bytes_held == 90 * MEBIBYTE
    used[0] = 100 * MEBIBYTE
    room.reserve(110 * MEBIBYTE)


def test_an_idle_process_is_never_stuck_above_nine_tenths():
    used = [950 * MEBIBYTE]
    room = guarded(1000 * MEBIBYTE, used)
    room.reserve(10 * MEBIBYTE)
    room.reserve(10 * MEBIBYTE, own=10 * MEBIBYTE)  # the same request
    with pytest.raises(RequestError):
        room.reserve(10 * MEBIBYTE)  # another one
    room.release(20 * MEBIBYTE)
    used[0] = 1100 * MEBIBYTE
    room.reserve(1000)
    with pytest.raises(RequestError):
        room.reserve(1000)


def test_a_small_request_is_decided_by_a_recent_reading():
    readings = []
    guard = MemoryGuard(1000, lambda: readings.append(1) or 0)
    assert all(guard.has_room(1, idle=False) for _ in range(100))
    assert len(readings) < 100


def test_the_resident_memory_is_what_is_touched():
    before = resident_bytes()
    block = np.ones(64 * MEBIBYTE, dtype=np.uint8)
    assert 48 * MEBIBYTE < resident_bytes() - before < 96 * MEBIBYTE
    assert block.all()


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="this C library gives memory back itself")
def test_trimming_gives_freed_memory_back():
    library = ctypes.CDLL(None)
    library.malloc.restype = ctypes.c_void_p
    library.malloc.argtypes = [ctypes.c_size_t]
    library.free.argtypes = [ctypes.c_void_p]
    blocks = [library.malloc(10_000) for _ in range(10_000)]  # 100 MB, of which the last block keeps the heap's end
    for block in blocks:
        ctypes.memset(block, 1, 10_000)
    full = resident_bytes()
    for block in blocks[:-1]:
        library.free(block)
    trim_heap()
    assert full - resident_bytes() > 80_000_000
    library.free(blocks[-1])


def test_the_heap_is_trimmed_once_after_large_requests(monkeypatch):
    trims = []
    monkeypatch.setattr(memory, "trim_heap", lambda: trims.append(1))
    monkeypatch.setattr(memory, "TRIM_DELAY_SECONDS", 0.01)

    async def requests(*sizes):
        trimmer = HeapTrimmer()
        for size in sizes:
            trimmer.freed(size)
        await asyncio.sleep(0.2)

    asyncio.run(requests(1000, 1000))
    assert not trims
    asyncio.run(requests(memory.TRIM_AFTER_BYTES, memory.TRIM_AFTER_BYTES))
    assert len(trims) == 1
