#!/usr/bin/env bash
# Builds the image and proves that it works as deploy/compose.yml runs it: read-only, without capabilities, as nobody special, it
# posts a review, is gone in five seconds while it writes another one, and posts that one after its next start. GitHub and the
# model stand in a second container of the same image (tests/image/world.py); nothing leaves the machine.
#
#   deploy/check-image.sh                   with the Dockerfile's own base, from the registry
#   deploy/check-image.sh BASE.tar          with a root file system in a tar as the base, where no registry can be reached:
#                                           mmdebstrap --variant=minbase --include=ca-certificates,python3,python3-venv \
#                                             trixie BASE.tar
#
# Needs buildah and podman, and the right to run them. Hosts differ, so more options can be given, separated by spaces:
#   PODMAN_OPTIONS (as "--cgroup-manager cgroupfs --runtime runc"), RUN_OPTIONS (as "--ulimit nofile=1024:4096"),
#   BUILD_OPTIONS (as "--isolation chroot --volume CERTIFICATES:CERTIFICATES:ro")
# Leaves nothing behind but the base images of the registry. Ends with 77 where it cannot run at all.
set -euo pipefail
cd "$(dirname "$0")/.."

START_SECONDS=60
STOP_SECONDS=5
REVIEW_SECONDS=180
BASE_IMAGE=localhost/principal-check-base
IMAGE=localhost/principal-check
CONTAINER=principal-check-$$
WORLD=principal-check-world-$$
read -ra podman_options <<<"${PODMAN_OPTIONS:-}"
read -ra run_options <<<"${RUN_OPTIONS:-}"
read -ra build_options <<<"${BUILD_OPTIONS:-}"

run_podman() { podman "${podman_options[@]}" "$@"; }

clean_up() {
  run_podman rm --force --volumes "$CONTAINER" >/dev/null 2>&1 || true
  run_podman rm --force --volumes "$WORLD" >/dev/null 2>&1 || true
  run_podman volume rm --force "$CONTAINER" >/dev/null 2>&1 || true
  [ -z "${talk:-}" ] || rm -r "$talk"
  buildah rmi --force "$IMAGE" >/dev/null 2>&1 || true
  if [ -n "${base:-}" ]; then
    buildah rmi --force "$BASE_IMAGE" >/dev/null 2>&1 || true
  fi
}
trap clean_up EXIT

fail() {
  echo "FAILED: $*" >&2
  run_podman logs "$CONTAINER" 2>&1 | tail -n 30 >&2 || true
  run_podman logs "$WORLD" 2>&1 | tail -n 10 >&2 || true
  exit 1
}

for tool in buildah podman; do
  command -v "$tool" >/dev/null || { echo "SKIPPED: there is no $tool here" >&2; exit 77; }
done

import_base() {
  local from
  from=$(buildah from scratch)
  buildah add --quiet "$from" "$1" / >/dev/null
  buildah config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$from"
  buildah commit --quiet --rm "$from" "$BASE_IMAGE" >/dev/null
}

# The health check is run below by hand: podman's own needs systemd.
hardened() {
  run_podman run --no-healthcheck --read-only --tmpfs /tmp:rw,noexec,nosuid,nodev,size=64m --cap-drop ALL \
    --security-opt no-new-privileges --user 10001:10001 --memory 512m --pids-limit 256 "${run_options[@]}" "$@"
}

inside() { run_podman exec "$CONTAINER" "$@"; }

answers() {
  inside python -c "import urllib.request as u; u.urlopen('http://127.0.0.1:8000$1', timeout=3)" >/dev/null 2>&1
}

start() {
  hardened --detach --name "$CONTAINER" --network "container:$WORLD" --volume "$CONTAINER:/data" --env-file "$talk/service.env" \
    "$IMAGE" >/dev/null
  wait_until "an answer of /health" "$START_SECONDS" answers /health
  wait_until "an answer of /ready" "$START_SECONDS" answers /ready
}

# What the world around it has told. It ends by itself, with a sentence, when it has waited in vain.
told() {
  wait_until "$1" "$REVIEW_SECONDS" test -e "$talk/$1"
}

no_traceback() {
  if run_podman logs "$CONTAINER" 2>&1 | grep -q Traceback; then fail "the log holds a traceback"; fi
}

wait_until() {
  local what=$1 deadline=$((SECONDS + $2))
  shift 2
  until "$@"; do
    [ "$SECONDS" -lt "$deadline" ] || fail "$what did not happen in time"
    sleep 0.2
  done
}

echo "== build"
base=${1:-}
if [ -n "$base" ]; then
  import_base "$base"
  build_options+=(--build-arg "BASE=$BASE_IMAGE" --pull-never)
fi
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)
buildah build "${build_options[@]}" --format docker --ignorefile deploy/Dockerfile.dockerignore \
  --build-arg "VERSION=$version" --build-arg "REVISION=$(git rev-parse HEAD)" --file deploy/Dockerfile --tag "$IMAGE" .

echo "== a half configured service refuses to start and names the variable"
refusal=$(hardened --rm --network none --env GITHUB_APP_ID=1 "$IMAGE" 2>&1) && fail "it started without a webhook secret"
grep -q GITHUB_ <<<"$refusal" || fail "the refusal names no variable: $refusal"

echo "== start"
talk=$(mktemp --directory)
chmod 0777 "$talk"
# Both have the loopback of the first one, and no other network.
hardened --detach --name "$WORLD" --network none --volume "$talk:/talk" --volume "$PWD/tests:/checks/tests:ro" \
  --env PYTHONPATH=/checks --env HOME=/tmp --entrypoint python "$IMAGE" -m tests.image.world /talk >/dev/null
wait_until "a GitHub to talk with" "$START_SECONDS" test -e "$talk/service.env"
began=$(date +%s%N)
start
ready_milliseconds=$((($(date +%s%N) - began) / 1000000))

echo "== what is inside"
[ "$(inside id -u):$(inside id -g)" = 10001:10001 ] || fail "it does not run as 10001:10001"
[ "$(inside sed -n 's/^CapEff:\t*//p' /proc/1/status)" = 0000000000000000 ] || fail "it has capabilities"
[ "$(inside sed -n 's/^NoNewPrivs:\t*//p' /proc/1/status)" = 1 ] || fail "it may gain privileges"
inside git --version >/dev/null || fail "git is missing"
inside sh -c '! touch /written 2>/dev/null' || fail "the root file system can be written to"
inside sh -c '! command -v curl && ! command -v gcc && ! command -v cc' >/dev/null || fail "there are tools nobody needs"
inside python -c 'import sys; sys.exit(not sys.flags.safe_path)' || fail "modules are looked for in the working directory"
inside python -c 'import importlib.util as u, sys; sys.exit(u.find_spec("pip") is not None)' || fail "pip is inside"
inside principal rules list >/dev/null || fail "the wheel does not find its rules"

echo "== the health check, as the image defines it"
mapfile -t health < <(buildah inspect --type image "$IMAGE" | python3 -c '
import json, sys
print("\n".join(json.load(sys.stdin)["Docker"]["config"]["Healthcheck"]["Test"][1:]))')
[ "${#health[@]}" -gt 0 ] || fail "the image defines no health check"
inside "${health[@]}" || fail "the health check fails"

echo "== a review from inside"
told posted
cat "$talk/posted"

echo "== stop, while another review is under way"
told under-way
began=$(date +%s%N)
run_podman stop --time "$STOP_SECONDS" "$CONTAINER" >/dev/null
stop_milliseconds=$((($(date +%s%N) - began) / 1000000))
code=$(run_podman inspect --format '{{.State.ExitCode}}' "$CONTAINER")
[ "$code" = 0 ] || fail "it ended with $code after $stop_milliseconds ms: 137 says that it did not stop by itself"
no_traceback
run_podman rm "$CONTAINER" >/dev/null

echo "== start again, and go on with that review"
start
told done
cat "$talk/done"
memory=$(inside sh -c 'cat /proc/[0-9]*/status' | awk '/^VmHWM:/ && $2 > most { most = $2 } END { print int(most / 1024) " MB" }')
run_podman stop --time "$STOP_SECONDS" "$CONTAINER" >/dev/null
no_traceback

size=$(buildah images --format '{{.Size}}' "$IMAGE")
echo "The image works ($size; ready after $ready_milliseconds ms and gone after $stop_milliseconds ms, podman's own work included; $memory in its largest process)."
