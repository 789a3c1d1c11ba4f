"""A process may open as many files as its connections need."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
from service.server.descriptors import reserve_descriptors
soft, hard, asked = (int(value) for value in sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
print(reserve_descriptors(asked), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("soft", "hard", "asked", "expected"),
    [
        (256, 1024, 64, "64 256 1024"),  # enough as it is
        (256, 1024, 500, "500 628 1024"),  # 128 for everything else
        (256, 512, 1000, "384 512 512"),  # as many as fit
        (512, 512, 384, "384 512 512"),
    ],
)
def test_the_limit_is_raised_as_far_as_needed_and_allowed(soft, hard, asked, expected):
    command = [sys.executable, "-c", PROGRAM, str(soft), str(hard), str(asked)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own program
    assert done.stdout.strip() == expected
    assert ("connections fit" in done.stderr) == (not expected.startswith(str(asked)))
