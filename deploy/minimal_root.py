"""Copies from a base image what the service runs on: the interpreter, its library, shared libraries, a shell.

    python3 deploy/minimal_root.py /opt/sentiment /root-of-the-image

Run while the image is built (deploy/Containerfile), by the interpreter that the image gets, after everything was
installed to the first folder. Needs nothing but Python, ldd and, for the list of Debian's packages, dpkg.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

UNUSED = (
    "onnxruntime/capi/libonnxruntime.so*",  # for programs in C; the module for Python has the same code in itself
    "onnxruntime/transformers",
    "onnxruntime/quantization",
    "onnxruntime/tools",
    "onnxruntime/datasets",
    "onnxruntime/backend",
    "hf_xet",  # downloads models, which the service never does
    "hf_xet-*",
    "**/tests",
    "**/*.pyi",
    "numpy/_core/include",
    "numpy/f2py",
)
"""Of the installed packages, what serving does not use, by folder and name."""

NOT_OF_THE_LIBRARY = {
    "__pycache__", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "site-packages", "dist-packages", "test", "tests",
    "tkinter", "turtledemo", "venv",
}  # fmt: skip
"""Folders of Python's library that a service has no use for, and packages that are not of it."""

FILES = (
    "/etc/debian_version",
    "/etc/os-release",
    "/usr/lib/os-release",
    "/etc/ld.so.cache",
    "/etc/ssl/certs/ca-certificates.crt",
)

LIBRARY = re.compile(r"(?:=> )?(/\S+) \(0x")
"""A line of ldd that names a file."""


def main(packages: Path, root: Path) -> None:
    """Drop what is not used, then copy everything that is needed."""
    drop_unused(packages)
    library = Path(sysconfig.get_path("stdlib"))
    copied = [copy(path, root) for path in library.rglob("*") if path.is_file() and not is_left_out(path, library)]
    shell = Path("/bin/sh")
    programs = [Path(sys.executable).resolve(), shell.resolve()]
    binaries = [*programs, *library.glob("lib-dynload/*.so"), *packages.rglob("*.so*")]
    copied += [copy(path, root) for path in [*programs, *libraries(binaries)]]
    copied += [copy(path, root) for name in FILES if (path := Path(name)).exists()]
    for name in ("bin", "lib", "lib64", "sbin"):
        if (link := Path("/") / name).is_symlink():  # Debian keeps all of them under /usr
            (root / name).symlink_to(link.readlink())
    link_to(programs[0], root, names=["python3"])
    link_to(programs[1], root, names=["sh"])
    (root / "etc" / "passwd").write_text("root:x:0:0::/:/sbin/nologin\nsentiment:x:10001:10001::/tmp:/sbin/nologin\n")
    (root / "etc" / "group").write_text("root:x:0:\nsentiment:x:10001:\n")
    for name in ("tmp", "dev", "proc", "sys", "run"):
        (root / name).mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)
    list_debian_packages(copied, root)


def drop_unused(packages: Path) -> None:
    """Remove the unused files of the installed packages."""
    (site,) = packages.glob("lib/python3.*/site-packages")
    for pattern in UNUSED:
        found = list(site.glob(pattern))
        for path in found:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def is_left_out(path: Path, library: Path) -> bool:
    """Whether a file of Python's library is not copied."""
    parts = path.relative_to(library).parts
    return bool(NOT_OF_THE_LIBRARY & set(parts[:-1])) or parts[0].startswith("config-")


def libraries(binaries: list[Path]) -> set[Path]:
    """The shared libraries of the system that programs and modules are linked to, and the loader."""
    found: set[Path] = set()
    for binary in binaries:
        listed = subprocess.run(["ldd", str(binary)], capture_output=True, text=True, check=False)  # noqa: S603, S607
        found |= {Path(name) for name in LIBRARY.findall(listed.stdout)}
    return {path for path in found if not path.is_relative_to("/opt")}


def copy(path: Path, root: Path) -> Path:
    """Copy a file, and what it is if it is a link, to the same place under the root."""
    real = Path(os.path.realpath(path.parent)) / path.name
    to = root / real.relative_to("/")
    to.parent.mkdir(parents=True, exist_ok=True)
    if real.is_symlink():
        to.unlink(missing_ok=True)
        to.symlink_to(real.readlink())
        copy(real.parent / real.readlink(), root)
    elif not to.exists():
        shutil.copy2(real, to)
    return real


def link_to(program: Path, root: Path, *, names: list[str]) -> None:
    """Give a program that was copied further names beside itself."""
    for name in names:
        link = root / program.parent.relative_to("/") / name
        if not link.exists():
            link.symlink_to(program.name)


def list_debian_packages(copied: list[Path], root: Path) -> None:
    """Name the packages that files were copied of where scanners of images look, each with its licence."""
    if shutil.which("dpkg-query") is None:
        return
    status = root / "var" / "lib" / "dpkg" / "status.d"
    status.mkdir(parents=True)
    for name in sorted(set(owners(copied))):
        shown = subprocess.run(["dpkg-query", "--status", name], capture_output=True, check=False)  # noqa: S603, S607
        if shown.returncode == 0:
            (status / name.partition(":")[0]).write_bytes(shown.stdout)
        licence = Path("/usr/share/doc") / name.partition(":")[0] / "copyright"
        if licence.exists():
            copy(licence, root)


def owners(paths: list[Path]) -> Iterator[str]:
    """Names of the Debian packages that have these files. Packages know some files by the names of before /usr."""
    names = sorted({str(path).removeprefix("/usr") for path in paths} | {str(path) for path in paths})
    for begin in range(0, len(names), 500):
        command = ["dpkg-query", "--search", *names[begin : begin + 500]]
        listed = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        for line in listed.stdout.splitlines():
            yield line.partition(": ")[0].partition(",")[0]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
