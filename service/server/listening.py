"""Stops listening without leaving a connection unanswered.

The kernel completes connections by itself and keeps them until they are accepted. Where a listening socket is closed,
it resets those that were not, and their clients have perhaps sent a request by then.
"""

import ctypes
import logging
import socket
import struct
from asyncio.trsock import TransportSocket

SO_ATTACH_FILTER = 26
"""From Linux's asm-generic/socket.h; Python does not name it."""

DROP_SYN = (
    (0x30, 0, 0, 13),  # load the flags, byte 13 of the TCP header
    (0x54, 0, 0, 0x12),  # keep SYN and ACK
    (0x15, 0, 1, 0x02),  # SYN alone, the first packet of a connection?
    (0x06, 0, 0, 0),  # then drop the packet,
    (0x06, 0, 0, 0xFFFFFFFF),  # otherwise pass it on as it is
)
"""A classic BPF program (Linux, Documentation/networking/filter.rst): code, jump if true, jump if false, operand."""

logger = logging.getLogger(__name__)


def ignore_new_connections(listener: socket.socket | TransportSocket) -> None:
    """Make the kernel drop attempts to connect, for every process that holds this socket.

    A client's kernel tries again after a second. Connections that are complete, or about to be, can still be accepted.
    Without effect where the system lacks this filter.
    """
    program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in DROP_SYN))
    pointer = struct.pack("HL", len(DROP_SYN), ctypes.addressof(program))
    try:
        listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, pointer)
    except OSError as error:
        logger.warning("connections made in the last moment may be reset: no filter of packets (%s)", error)
