#!/usr/bin/env bash
# Compares the shipped model's answers on a 64-bit Arm processor with those of this one, the former emulated by QEMU.
#
#   deploy/compare-arm.sh
#
# Needs qemu-user and debootstrap (Debian: apt-get install qemu-user debootstrap), an index of Python packages, and to be
# root, if only of a container. The packages are those of requirements.lock, the texts those of the sample, one by one
# and a hundred as one long text. Everything happens in a temporary folder that is removed at the end.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT
root=$work/root
PYTHON=python3.11
PROCESSOR=neoverse-n1 # of QEMU's list: the one of most Arm machines that clouds let

mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' 'Label: Debian' | head -n 1)
debootstrap --foreign --arch arm64 --variant=minbase --include="$PYTHON" bookworm "$root" "$mirror" >"$work/log" 2>&1 ||
  { cat "$work/log" >&2; exit 1; }
for package in "$root"/var/cache/apt/archives/*.deb; do # --foreign has unpacked the essential ones only
  dpkg-deb --fsys-tarfile "$package" | tar --extract --keep-directory-symlink --directory "$root"
done

# Where the emulated processor is described: ONNX Runtime ends in a segmentation fault if it reads this machine's.
rm "$root/proc"
mkdir -p "$root/proc" "$root/sys/devices/system/cpu"
cat >"$root/proc/cpuinfo" <<'CPU'
processor	: 0
Features	: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp
CPU implementer	: 0x41
CPU architecture: 8
CPU variant	: 0x3
CPU part	: 0xd0c
CPU revision	: 1
CPU
for file in possible present; do echo 0 >"$root/sys/devices/system/cpu/$file"; done
echo 0 >"$root/sys/devices/system/cpu/kernel_max"

.venv/bin/uv pip install --quiet --target "$work/packages" --python-platform aarch64-manylinux_2_28 --python-version 3.11 \
  --only-binary :all: --require-hashes --no-deps --requirement requirements.lock

cat >"$work/answer.py" <<'ANSWER'
"""Writes what the shipped model makes of the sample's texts."""
import csv, platform, sys
import numpy as np
from model_store import SentimentModel

parts = ("train", "validation", "test")
texts = [row["text"] for part in parts for row in csv.DictReader(open(f"training/data/sample/{part}.csv"))]
texts.append(" ".join(texts[:100]))
model = SentimentModel.load("default")
answers = model.predict(texts, explain=True)
arrays = {"machine": platform.machine(), "labels": [answer.label for answer in answers]}
for number, (answer, read) in enumerate(zip(answers, model.represent(texts), strict=True)):
    arrays[f"scores {number}"] = list(answer.scores.values())
    arrays[f"contributions {number}"] = answer.contributions
    arrays[f"representations {number}"] = read.representations[-1]
np.savez(sys.argv[1], **arrays)
ANSWER
cat >"$work/compare.py" <<'COMPARE'
"""Prints the largest differences."""
import sys
import numpy as np

ours, theirs = (np.load(file) for file in sys.argv[1:])
print(f"answers of {theirs['machine']} beside those of {ours['machine']}, {len(ours['labels'])} texts")
print(f"  other labels:     {(ours['labels'] != theirs['labels']).sum()}")
for kind in ("scores", "contributions", "representations"):
    largest = max(abs(ours[name] - theirs[name]).max() for name in ours.files if name.startswith(kind))
    print(f"  {kind + ':':17} differ by at most {largest:.1e}")
COMPARE
export PYTHONDONTWRITEBYTECODE=1
PYTHONPATH=. .venv/bin/python "$work/answer.py" "$work/ours.npz"
PYTHONPATH=.:$work/packages qemu-aarch64 -cpu "$PROCESSOR" -L "$root" "$root/usr/bin/$PYTHON" "$work/answer.py" "$work/theirs.npz"
.venv/bin/python "$work/compare.py" "$work/ours.npz" "$work/theirs.npz"
