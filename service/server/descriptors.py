"""Room for connections among the files that a process may open."""

import logging
import resource

OTHERS = 128
"""Descriptors for everything but connections: the log, metrics, timers, connections that wait to be refused."""

logger = logging.getLogger("bentoml.connections")  # under "bentoml", whose lines BentoML writes out


def reserve_descriptors(connections: int) -> int:
    """Raise this process's limit on open files as far as that many connections need and the system lets it.

    A process without descriptors cannot accept the connection of a probe, nor refuse one.

    Returns:
        how many connections fit; fewer than asked for leave a line in the log.
    """
    needed = connections + OTHERS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY in {soft, hard} or soft >= needed:
        limit = needed
    else:
        limit = min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, limit), hard))
    fitting = max(1, min(connections, limit - OTHERS))
    if fitting < connections:
        logger.warning("%d connections fit into this process's limit of %d open files", fitting, hard)
    return fitting
