#!/usr/bin/env bash
# Builds the image and runs it without a daemon and without a registry of images, and prints what it saw.
#
#   deploy/build-rootless.sh            the service's image
#   deploy/build-rootless.sh training   that of jobs, with torch for processors
#
# Needs buildah and debootstrap (Debian: apt-get install buildah debootstrap), Python 3.11, curl, and to be root, if only
# of a container or a virtual machine. Debian's packages come from the mirror this machine's apt uses, Python's from wherever
# this machine's pip gets them. Everything else happens in a temporary folder that is removed at the end.
set -euo pipefail
cd "$(dirname "$0")/.."

LARGEST_MEBIBYTES=300
SLOWEST_START_SECONDS=${SLOWEST_START_SECONDS:-10} # of the clock: raise it on a machine that does other work, too
USER_ID=10001 # as deploy/Containerfile has it
TEXT='A warm, funny evening.'

work=$(mktemp -d)
mkdir "$work/tmp"
export TMPDIR=$work/tmp
server= # process group of the container that runs
clean_up() {
  [ -z "$server" ] || kill -KILL -- "-$server" 2>/dev/null || true
  [ -z "${container:-}" ] || buildah umount "$container" >/dev/null 2>&1 || true
  rm -rf --one-file-system "$work"
}
trap clean_up EXIT
fail() {
  echo "build-rootless: $*" >&2
  [ ! -f "$work/log" ] || cat "$work/log" >&2
  exit 1
}

python=$([ -x .venv/bin/python ] && echo .venv/bin/python || echo python3.11)
export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=vfs CONTAINERS_STORAGE_CONF=$work/storage.conf
printf '[storage]\ndriver = "vfs"\ngraphroot = "%s/images"\nrunroot = "%s/run"\n' "$work" "$work" >"$CONTAINERS_STORAGE_CONF"

# A base image: Debian 12, which has Python 3.11.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' 'Label: Debian' | head -n 1)
[ -n "$mirror" ] || fail "apt on this machine knows no mirror of Debian 12 (bookworm)"
debootstrap --variant=minbase --include=python3-minimal,python3-venv \
  bookworm "$work/base" "$mirror" >"$work/log" 2>&1 || fail "debootstrap failed"
rm -rf "$work"/base/var/cache/apt/* "$work"/base/var/lib/apt/lists/* "$work"/base/var/log/* \
  "$work"/base/usr/share/{doc,man,info,locale}/* "$work"/base/etc/apt/sources.list
base=$(buildah from scratch)
buildah add --quiet "$base" "$work/base" / >/dev/null
buildah commit --quiet --rm "$base" sentiment-base >/dev/null
rm -rf "$work/base"

find_compilers() { # in the image whose root is mounted
  find "$root" -xdev \( -name '*gcc*' -o -name 'g++*' -o -name cc -o -name c++ -o -name clang -o -name ld -o -name as \) \
    -perm -u+x -type f,l -path '*/bin/*'
}
mount_read_only='mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"' # in a mount namespace of its own

if [ "${1:-service}" = training ]; then
  mkdir "$work/wheels"
  .venv/bin/uv pip compile --quiet --no-header --no-annotate --python-version 3.11 --extra train --extra excel \
    --constraint constraints.txt ${PIP_FIND_LINKS:+--find-links "$PIP_FIND_LINKS"} pyproject.toml >"$work/list" 2>"$work/log" ||
    fail "uv found no versions"
  "$python" -m pip download --quiet --disable-pip-version-check --no-deps --dest "$work/wheels" --only-binary :all: \
    --requirement "$work/list" 'setuptools>=77' >"$work/log" 2>&1 || fail "pip found no wheels"
  BUILDERS=buildah make --no-print-directory training-container IMAGE=training BUILD_FLAGS="--pull-never \
    --build-arg BASE=localhost/sentiment-base --build-arg PIP_NO_INDEX=1 --build-arg PIP_FIND_LINKS=/wheels \
    --volume $work/wheels:/wheels:ro" >"$work/log" 2>&1 || fail "the build failed"
  container=$(buildah from --pull-never training)
  root=$(buildah mount "$container")
  compilers=$(find_compilers)
  [ -z "$compilers" ] || fail "the image has a compiler: $compilers"
  echo "size:               $(du --summarize --block-size=1M "$root" | cut -f1) MiB of files"
  echo "compiler:           none"
  echo "image's user:       $(buildah inspect --type image --format '{{.Docker.Config.User}}' training)"
  # Run once while the root can be written to: buildah makes what it mounts its own files over.
  echo "base:               $(buildah run --isolation chroot "$container" -- python3 --version)"
  touch "$root/run/.containerenv"
  install --directory --owner="$USER_ID" --group="$USER_ID" "$work/volume"
  cp training/data/sample/*.csv training/configs/sample.yaml "$work/volume"
  mkdir "$root/work/volume" # where the volume is mounted: buildah could not make it in a root that is read-only
  run=(unshare --mount bash -c "$mount_read_only" "$root" buildah run --isolation chroot
    --mount type=tmpfs,destination=/tmp --volume "$work/volume:/work/volume" --workingdir /work/volume "$container" -- python3 -m)
  # buildah itself fails at tidying up a root that is read-only, so what counts is what was written.
  "${run[@]}" training fit --config sample.yaml --data.train train.csv --data.validation validation.csv --data.test test.csv \
    --trainer.max_epochs 1 --trainer.default_root_dir run >"$work/log" 2>&1 ||
    [ -s "$work/volume/run/checkpoints/best.ckpt" ] || fail "fit failed"
  "${run[@]}" training export run/checkpoints/best.ckpt --to bundle >"$work/log" 2>&1 ||
    [ -s "$work/volume/bundle/manifest.json" ] || fail "export failed"
  "${run[@]}" model_store score validation.csv --model bundle --to scored.csv >"$work/log" 2>&1 ||
    [ -s "$work/volume/scored.csv" ] || fail "score failed"
  echo "with a read-only root file system, a tmpfs and a volume:"
  echo "  fit, export, score: $(wc -l <"$work/volume/scored.csv") lines, written by user $(stat --format %u "$work/volume/scored.csv")"
  exit
fi

# The image, from wheels this machine's pip fetched, so that the build itself needs no network.
mkdir "$work/wheels"
"$python" -m pip download --quiet --disable-pip-version-check --dest "$work/wheels" --only-binary :all: \
  --require-hashes --requirement requirements.lock >"$work/log" 2>&1 || fail "pip found no wheels"
BUILDERS=buildah make --no-print-directory container IMAGE=sentiment BUILD_FLAGS="--build-arg BASE=localhost/sentiment-base \
  --build-arg PIP_NO_INDEX=1 --build-arg PIP_FIND_LINKS=/wheels --volume $work/wheels:/wheels:ro --pull-never" \
  >"$work/log" 2>&1 || fail "the build failed"

container=$(buildah from --pull-never sentiment)
root=$(buildah mount "$container")
read_image() { # a list in the image's configuration, one element a line
  buildah inspect --type image sentiment | "$python" -c "
import json, sys
print(*json.load(sys.stdin)['Docker']['config']$1, sep='\n')"
}
mapfile -t command < <(read_image "['Cmd']")
mapfile -t health < <(read_image "['Healthcheck']['Test'][1:]")

size=$(du --summarize --block-size=1M "$root" | cut -f1)
[ "$size" -le "$LARGEST_MEBIBYTES" ] || fail "the image has $size MiB, and $LARGEST_MEBIBYTES were allowed"
compilers=$(find_compilers)
[ -z "$compilers" ] || fail "the image has a compiler: $compilers"
others=$(find "$root/opt/sentiment" -maxdepth 5 -name '*.dist-info' | grep -E '/(torch|pytorch_lightning|onnx|pytest)-' || true)
[ -z "$others" ] || fail "the image has what only training or tests need: $others"
packages=$(find "$root/opt/sentiment" -name '*.dist-info' -type d | wc -l)

free_port() {
  "$python" -c "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); print(s.getsockname()[1])"
}
processor_seconds() { # of the Python processes of the container that runs
  ps -e -o pgid=,pid=,args= | awk -v group="$server" '$1 == group && $3 ~ /python/ {print $2}' | "$python" -c "
import os, pathlib, sys
fields = [pathlib.Path(f'/proc/{pid.strip()}/stat').read_text().rpartition(')')[2].split() for pid in sys.stdin]
print(f'{sum(int(ticks) for each in fields for ticks in each[11:13]) / os.sysconf(\"SC_CLK_TCK\"):.1f}')"
}
enter=(buildah run --isolation chroot --mount type=tmpfs,destination=/tmp)

# Runs the image's own command through the words given, waits, asks, stops; prints a few lines of what it saw.
try() {
  local port began limit ready spent answer users status
  port=$(free_port)
  limit=$((SECONDS + 60))
  began=$(date +%s.%N)
  setsid "$@" "${enter[@]}" --env "PORT=$port" "$container" -- \
    sh -c '"$@"; echo "exit status: $?"' sh "${command[@]}" >"$work/log" 2>&1 &
  server=$!
  until curl --silent --fail --output /dev/null "http://127.0.0.1:$port/readyz"; do
    kill -0 "$server" 2>/dev/null || fail "the container ended instead of getting ready"
    [ "$SECONDS" -lt "$limit" ] || fail "the container is not ready after 60 s"
    sleep 0.1
  done
  ready=$("$python" -c "import sys, time; print(f'{time.time() - float(sys.argv[1]):.1f}')" "$began")
  spent=$(processor_seconds)
  answer=$(curl --silent --fail-with-body "http://127.0.0.1:$port/v1/predict" --json "{\"texts\": [\"$TEXT\"]}") || fail "$answer"
  users=$(ps -e -o pgid=,uid=,args= | awk -v group="$server" '$1 == group && $3 ~ /python/ {print $2}' | sort -u | xargs)
  "${enter[@]}" --env "PORT=$port" "$container" -- "${health[@]}" || fail "the health check fails"
  kill -TERM "$(ps -e -o pgid=,pid=,args= | awk -v group="$server" '$1 == group && $3 ~ /python/ {print $2; exit}')"
  wait "$server" || true # buildah itself fails at tidying up a root that is read-only
  status=$(sed -n 's/^exit status: //p' "$work/log")
  server=
  [ "$users" = "$USER_ID" ] || fail "it runs as $users instead of $USER_ID"
  [ "$status" = 0 ] || fail "after SIGTERM it ended with ${status:-no status}"
  "$python" -c "import sys; sys.exit(float(sys.argv[1]) > $SLOWEST_START_SECONDS)" "$ready" ||
    fail "it was ready after $ready s, and $SLOWEST_START_SECONDS were allowed"
  echo "  ready after:      $ready s (at most $SLOWEST_START_SECONDS), $spent s of processor time"
  echo "  runs as user:     $users"
  echo "  health check:     passes"
  echo "  predict:          $("$python" -c "
import json, sys
result = json.loads(sys.argv[1])['results'][0]
print(result['label'], round(result['score'], 4))" "$answer")"
  echo "  after SIGTERM:    exit status $status"
}

echo "base:               Debian $(cat "$root/etc/debian_version"), $("${enter[@]}" "$container" -- python3 --version)"
echo "size:               $size MiB of files (at most $LARGEST_MEBIBYTES)"
echo "compiler:           none"
echo "Python packages:    $packages, none of training or tests"
echo "image's user:       $(buildah inspect --type image --format '{{.Docker.Config.User}}' sentiment)"
echo "run with /tmp as a tmpfs:"
try env
# The mount of the root file system is read-only in a mount namespace that only this run has.
read_only=(unshare --mount bash -c "$mount_read_only" "$root")
touch "$root/run/.containerenv" # buildah mounts its own there, and could not make the file any more
if "${read_only[@]}" touch "$root/srv/probe" 2>/dev/null; then fail "the root file system is not read-only"; fi
echo "run with a read-only root file system, /tmp as a tmpfs:"
try "${read_only[@]}"
