#!/usr/bin/env bash
# Builds the image and proves that it runs as deploy/compose.yml runs it: read-only, without capabilities, as nobody special.
#
#   deploy/check-image.sh                   with the Dockerfile's own base, from the registry
#   deploy/check-image.sh BASE.tar          with a root file system in a tar as the base, where no registry can be reached:
#                                           mmdebstrap --variant=minbase --include=ca-certificates,python3,python3-venv \
#                                             trixie BASE.tar
#
# Needs buildah, podman and openssl, and the right to run them. Hosts differ, so more options can be given, separated by spaces:
#   PODMAN_OPTIONS (as "--cgroup-manager cgroupfs --runtime runc"), RUN_OPTIONS (as "--ulimit nofile=1024:4096"),
#   BUILD_OPTIONS (as "--isolation chroot --volume CERTIFICATES:CERTIFICATES:ro")
# Leaves nothing behind but the base images of the registry.
set -euo pipefail
cd "$(dirname "$0")/.."

START_SECONDS=30
STOP_SECONDS=10
BASE_IMAGE=localhost/principal-check-base
IMAGE=localhost/principal-check
CONTAINER=principal-check-$$
read -ra podman_options <<<"${PODMAN_OPTIONS:-}"
read -ra run_options <<<"${RUN_OPTIONS:-}"
read -ra build_options <<<"${BUILD_OPTIONS:-}"

run_podman() { podman "${podman_options[@]}" "$@"; }

clean_up() {
  run_podman rm --force --volumes "$CONTAINER" >/dev/null 2>&1 || true
  buildah rmi --force "$IMAGE" >/dev/null 2>&1 || true
  if [ -n "${base:-}" ]; then
    buildah rmi --force "$BASE_IMAGE" >/dev/null 2>&1 || true
  fi
}
trap clean_up EXIT

fail() {
  echo "FAILED: $*" >&2
  run_podman logs "$CONTAINER" 2>&1 | tail -n 30 >&2 || true
  exit 1
}

import_base() {
  local from
  from=$(buildah from scratch)
  buildah add --quiet "$from" "$1" / >/dev/null
  buildah config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$from"
  buildah commit --quiet --rm "$from" "$BASE_IMAGE" >/dev/null
}

# The health check is run below by hand: podman's own needs systemd. The service has no need of a network to start.
hardened() {
  run_podman run --no-healthcheck --network none --read-only --tmpfs /tmp:rw,noexec,nosuid,nodev,size=64m --cap-drop ALL \
    --security-opt no-new-privileges --user 10001:10001 --memory 512m --pids-limit 256 "${run_options[@]}" "$@"
}

inside() { run_podman exec "$CONTAINER" "$@"; }

answers() {
  inside python -c "import urllib.request as u; u.urlopen('http://127.0.0.1:8000$1', timeout=3)" >/dev/null 2>&1
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
refusal=$(hardened --rm --env GITHUB_APP_ID=1 "$IMAGE" 2>&1) && fail "it started without a webhook secret"
grep -q GITHUB_ <<<"$refusal" || fail "the refusal names no variable: $refusal"

echo "== start, as an App that nobody knows"
key=$(openssl genrsa 2048 2>/dev/null)
began=$(date +%s%N)
hardened --detach --name "$CONTAINER" --volume "/data" --env PRINCIPAL_MODEL=none --env GITHUB_APP_ID=1 \
  --env "GITHUB_PRIVATE_KEY=$key" --env "GITHUB_WEBHOOK_SECRET=$(openssl rand -hex 32)" "$IMAGE" >/dev/null
wait_until "an answer of /health" "$START_SECONDS" answers /health
wait_until "an answer of /ready" "$START_SECONDS" answers /ready
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

echo "== stop"
started=$SECONDS
run_podman stop --time "$STOP_SECONDS" "$CONTAINER" >/dev/null
[ $((SECONDS - started)) -lt "$STOP_SECONDS" ] || fail "it did not stop by itself"
code=$(run_podman inspect --format '{{.State.ExitCode}}' "$CONTAINER")
[ "$code" = 0 ] || [ "$code" = 143 ] || fail "it ended with $code"
run_podman logs "$CONTAINER" 2>&1 | grep -q Traceback && fail "the log holds a traceback"

size=$(buildah images --format '{{.Size}}' "$IMAGE")
echo "The image works ($size; ready after $ready_milliseconds ms, the container's own start and this check's looks included)."
