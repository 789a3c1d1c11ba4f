"""Writes the bytecode of what a start of the service imports, and of nothing else: most of the rest is never read.

    /opt/sentiment/bin/python deploy/compile_imports.py /root-of-the-image

Run in the service's folder while the image is built. Without bytecode each start would compile what it imports, and a
read-only root could not keep it. Bytecode of Python's own library goes below the root given, the rest beside its
source.
"""

import importlib
import importlib.util
import py_compile
import sys
import sysconfig
from pathlib import Path

STARTS = (
    *("bentoml_cli.serve", "_bentoml_impl.server.serving", "_bentoml_impl.worker.service", "uvicorn"),
    "service.server.internals",
)
"""Modules that `bentoml serve` imports, in the process that supervises and in the workers, before the service's own."""


def import_all() -> None:
    """Import what a start does: a worker imports most of it only once it loads the model and makes the application."""
    for name in STARTS:
        importlib.import_module(name)
    service = importlib.import_module("service.app").SentimentService
    service.inner()
    service.to_asgi()


def main(root: Path) -> None:
    """Import, then compile every module that was imported."""
    sys.path.insert(0, str(Path.cwd()))
    import_all()
    library = sysconfig.get_path("stdlib")
    sources = {str(module.__file__) for module in list(sys.modules.values()) if getattr(module, "__file__", None)}
    for source in sorted(sources):
        if not source.endswith(".py") or not Path(source).exists():
            continue
        target = importlib.util.cache_from_source(source)
        in_library = source.startswith(library) and "site-packages" not in source
        py_compile.compile(
            source,
            cfile=str(root / target.lstrip("/")) if in_library else target,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,  # an image's files never change
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
