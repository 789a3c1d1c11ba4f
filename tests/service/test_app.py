"""What ``bentoml serve`` imports before it starts a worker."""

import json
import subprocess
import sys

import pytest

from tests.support.paths import ROOT

OF_WORKERS = {"numpy", "onnxruntime", "service.routes", "service.schemas", "tokenizers"}
IMPORTED = "import json, sys, service.app; print(json.dumps(list(sys.modules)))"


@pytest.mark.slow
def test_the_supervisor_imports_nothing_that_only_workers_need():
    done = subprocess.run([sys.executable, "-c", IMPORTED], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603
    assert OF_WORKERS & set(json.loads(done.stdout)) == set()
