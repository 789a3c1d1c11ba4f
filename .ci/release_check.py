"""What must hold before a release: ``make release-check``. Names every problem, not only the first.

Builds the wheel and the source distribution, installs the wheel into an empty environment with the locked packages, and
serves from it outside the repository. Needs uv and a package index.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "build" / "release"
UV = Path(sys.executable).with_name("uv")
TEXT = "A warm, funny evening."
READY_SECONDS = 120.0
UNRELEASED = re.compile(r"^## \[Unreleased\]\n(.*?)(?=^## \[|\Z)", re.DOTALL | re.MULTILINE)


def main() -> int:
    """Run every check; 1 if one has a problem."""
    version = version_stated()
    problems = [*changelog_problems(version)]
    for old in DIST.glob("*"):
        old.unlink()
    run(UV, "build", "--quiet", "--out-dir", DIST, ROOT)
    (wheel,) = DIST.glob("*.whl")
    (source,) = DIST.glob("*.tar.gz")
    problems += version_problems(version, wheel, source)
    problems += source_problems(source)
    with tempfile.TemporaryDirectory() as folder:
        problems += wheel_problems(wheel, Path(folder))
    for problem in problems:
        sys.stdout.write(f"release-check: {problem}\n")
    sys.stdout.write(f"{wheel.name}, {source.name}: {'not ready' if problems else 'ready'}\n")
    return 1 if problems else 0


def run(*command: object, **options: object) -> str:
    """The output of a command, which must succeed."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]  # noqa: S603
    if done.returncode != 0:
        message = f"{' '.join(map(str, command))}: {done.stderr or done.stdout}"
        raise SystemExit(message)
    return str(done.stdout)


def version_stated() -> str:
    """The version in its only place."""
    found = re.search(r'^__version__.*"(.*)"$', (ROOT / "model_store" / "version.py").read_text(), re.MULTILINE)
    if found is None:
        message = "model_store/version.py states no version"
        raise SystemExit(message)
    return found[1]


def changelog_problems(version: str) -> Iterator[str]:
    """A dated section for the version, and nothing left under "Unreleased"."""
    changelog = (ROOT / "CHANGELOG.md").read_text()
    if not re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", changelog, re.MULTILINE):
        yield f'CHANGELOG.md has no section "## [{version}] - YYYY-MM-DD"'
    unreleased = UNRELEASED.search(changelog)
    if unreleased and unreleased[1].strip():
        yield f'CHANGELOG.md has entries under "Unreleased"; {version} is stated: set the version and move them'


def version_problems(version: str, wheel: Path, source: Path) -> Iterator[str]:
    """The names of what was built state the version."""
    for path, name in ((wheel, f"sentiment_encoder-{version}-"), (source, f"sentiment_encoder-{version}.tar.gz")):
        if not path.name.startswith(name):
            yield f"{path.name} does not state version {version}"


def source_problems(source: Path) -> Iterator[str]:
    """The source distribution has every tracked file."""
    tracked = set(run("git", "ls-files", "-z", cwd=ROOT).rstrip("\0").split("\0"))
    with tarfile.open(source) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    if missing := sorted(path for path in tracked - held if (ROOT / path).exists()):
        yield f"{source.name} lacks {len(missing)} tracked files: {', '.join(missing[:10])}"


def wheel_problems(wheel: Path, folder: Path) -> Iterator[str]:
    """The wheel, in an environment with the locked packages and nothing else, answers like the code it was built of."""
    run(UV, "venv", "--quiet", "--python", sys.executable, folder / "venv")
    environment = {**os.environ, "VIRTUAL_ENV": str(folder / "venv")}
    environment.pop("PYTHONPATH", None)
    lock = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--requirement", ROOT / "requirements.lock"]
    run(UV, "pip", "install", "--quiet", *lock, env=environment)
    run(UV, "pip", "install", "--quiet", "--no-deps", wheel, env=environment)
    run(UV, "pip", "check", env=environment)
    environment["BENTOML_HOME"] = str(folder / "bentoml")
    shown = run(
        folder / "venv" / "bin" / "python", "-m", "model_store", "predict", "default", TEXT, "--json", cwd=folder
    )
    expected = json.loads(shown.splitlines()[0])
    with serving(folder, environment) as url:
        request = urllib.request.Request(  # noqa: S310
            f"{url}/v1/predict", json.dumps({"texts": [TEXT]}).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
            (answer,) = json.load(response)["results"]
    if answer["label"] != expected["label"] or abs(answer["score"] - expected["score"]) > 1e-6:  # noqa: PLR2004
        yield f"the wheel serves {answer['label']} {answer['score']}; its command says {shown.strip()}"


@contextmanager
def serving(folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """The service of an environment, started in another folder; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    words = ["serve", "service.app:SentimentService", "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(  # noqa: S603
            [folder / "venv" / "bin" / "bentoml", *words],
            cwd=folder,
            env={**environment, "BENTOML_DO_NOT_TRACK": "true"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            until = time.monotonic() + READY_SECONDS
            while not is_ready(url):
                if server.poll() is not None or time.monotonic() > until:
                    message = f"the wheel does not serve:\n{(folder / 'log').read_text()}"
                    raise SystemExit(message)
                time.sleep(0.2)
            yield url
        finally:
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)


def is_ready(url: str) -> bool:
    """Whether the service says so."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=2) as response:  # noqa: S310
            return bool(response.status == 200)  # noqa: PLR2004
    except OSError:
        return False


if __name__ == "__main__":
    raise SystemExit(main())
