#!/usr/bin/env bash
# Builds the production image with docker, podman or buildah, and checks that it runs: `./bootstrap.sh image`.
# It leaves the image speedsnake:proof, and removes everything else that it made.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

DOCKERFILE=docker/production/Dockerfile
IMAGE=speedsnake:proof
NAME=speedsnake-proof-$$
VOLUMES=("$NAME-results" "$NAME-uploads" "$NAME-logs")
MOUNTS=(--volume "$NAME-results:/app/results" --volume "$NAME-uploads:/app/uploads" --volume "$NAME-logs:/app/logs")
ANYBODY=4242:4242
PATIENCE=120 # seconds to wait for a condition
BUILD_OPTIONS=()

main() {
  choose_tools
  trap clean_up EXIT
  if [ -n "${IMAGE_STAND_INS:-}" ]; then
    # shellcheck source=docker/stand-ins.sh
    . docker/stand-ins.sh
    make_stand_ins
  fi
  build
  check_contents
  check_life
  check_any_user
  check_compose
  show_size
  say "the image is built and runs: $IMAGE"
}

# Sets RUN, the program that runs containers, and BUILDER.
choose_tools() {
  if docker info >/dev/null 2>&1; then
    RUN=docker
    if docker buildx version >/dev/null 2>&1; then BUILDER=buildx; else BUILDER=docker; fi
    if [ "$BUILDER" = docker ] && command -v buildah >/dev/null; then BUILDER=buildah; fi
  elif command -v podman >/dev/null; then
    RUN=podman BUILDER=podman
  else
    give_up "no program here can build and run images." "Start docker or install podman, then retry."
  fi
  say "building with $BUILDER, running with $RUN"
}

build() {
  local options=(--file "$DOCKERFILE" --tag "$IMAGE" --build-arg "VERSION=0.0.0-proof")
  options+=(--build-arg "COMMIT_HASH=$(git rev-parse HEAD 2>/dev/null || echo unknown)" ${BUILD_OPTIONS[@]+"${BUILD_OPTIONS[@]}"})
  case $BUILDER in
    buildx) docker buildx build --load "${options[@]}" . ;;
    docker) DOCKER_BUILDKIT=1 docker build "${options[@]}" . ;;
    podman) podman build --format docker "${options[@]}" . ;;
    buildah) buildah build --format docker "${options[@]}" . && hand_over_to_docker ;;
  esac ||
    give_up "the image could not be built: see the error above." \
      "If this machine reaches Debian's packages but no image registry: IMAGE_STAND_INS=1 ./bootstrap.sh image"
}

hand_over_to_docker() (
  folder=$(mktemp -d)
  trap 'rm -r "$folder"' EXIT
  buildah push --quiet "$IMAGE" "docker-archive:$folder/image.tar:$IMAGE"
  docker load --quiet --input "$folder/image.tar"
)

check_contents() {
  say "checking that the image holds the speed-test programs, and no tool to install or download more"
  once sh -c 'speedtest --version && librespeed-cli --version && iperf3 --version' | grep -i -E '^(speedtest by|librespeed|iperf)'
  once speedsnake --version
  local found
  found=$(once which pip pip3 uv curl wget sudo gcc) || true
  [ -z "$found" ] || give_up "the image holds tools that it should not: $found"
  once python -c 'import importlib.util, sys; sys.exit(any(map(importlib.util.find_spec, ["pip", "ensurepip"])))' ||
    give_up "the image holds pip"
  [ "$(once id -u)" = 10001 ] || give_up "the image does not run as user 10001"
}

check_life() {
  say "starting a container as its own user, with a read-only root and no network"
  start_container
  wait_for "the first row" row_is_there
  row | grep -q ',failed,' || give_up "the first row does not say that the line is down: $(row)"
  say "the first row says that the line is down: $(row | cut -c 1-120)…"
  wait_for "health" is_healthy
  say "the container is healthy"
  local began=$SECONDS
  "$RUN" stop --time 2 "$NAME" >/dev/null 2>&1 # a slower container is killed, with another exit code than 0
  local code
  code=$("$RUN" inspect --format '{{.State.ExitCode}}' "$NAME")
  [ "$code" = 0 ] || give_up "the stopped container ended with exit code $code: $("$RUN" logs "$NAME" 2>&1)"
  say "stopped, exit code 0, after $((SECONDS - began)) s"
  once sh -c 'cat /app/results/year=*/month=*/day=*/speedtest_*.csv' | grep -q ',failed,' ||
    give_up "the row is no longer on the volume"
  say "the row is still on the volume"
  "$RUN" rm "$NAME" >/dev/null
  remove_volumes
}

check_any_user() {
  say "starting a container as another user ($ANYBODY)"
  start_container --user "$ANYBODY"
  wait_for "the first row of another user" row_is_there
  "$RUN" rm --force "$NAME" >/dev/null 2>&1
  remove_volumes
}

# Uses the production compose file; only the image differs.
check_compose() {
  if ! "$RUN" compose version >/dev/null 2>&1; then
    say "NOT CHECKED: compose, because '$RUN compose' is not installed"
    return
  fi
  say "starting the production compose file"
  COMPOSE_STARTED=yes
  compose up --detach --wait || give_up "compose did not become healthy: $(compose logs 2>&1)"
  compose ps
}

compose() {
  SPEEDSNAKE_IMAGE=$IMAGE "$RUN" compose --project-name "$NAME" --file docker/production/docker-compose.yml --profile page "$@"
}

show_size() {
  say "image size: $(($("$RUN" image inspect --format '{{.Size}}' "$IMAGE") / 1000000)) MB; its largest parts in MB:"
  once sh -c 'du -xms /usr /var /app/.venv 2>/dev/null; du -ms --threshold=20M /app/.venv/lib/python3*/site-packages/[np]*/'
}

# ------------------------------------------------------------------------------------------------------- helpers

start_container() {
  "$RUN" run --detach --name "$NAME" --read-only --network none --cap-drop ALL --security-opt no-new-privileges \
    "${MOUNTS[@]}" "$@" "$IMAGE" >/dev/null
}

# Runs a command in a new container with the same volumes.
once() {
  "$RUN" run --rm --no-healthcheck --read-only --network none "${MOUNTS[@]}" "$IMAGE" "$@"
}

row() {
  "$RUN" exec "$NAME" sh -c 'cat /app/results/year=*/month=*/day=*/speedtest_*.csv 2>/dev/null' | tail -n 1
}

row_is_there() {
  [ -n "$(row)" ]
}

# podman needs systemd for regular health checks. Without it, this runs them.
is_healthy() {
  [ "$RUN" = docker ] || podman healthcheck run "$NAME" >/dev/null || true
  [ "$("$RUN" inspect --format '{{.State.Health.Status}}' "$NAME")" = healthy ]
}

wait_for() {
  local what=$1 end=$((SECONDS + PATIENCE))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || give_up "waited $PATIENCE s in vain for $what: $("$RUN" logs "$NAME" 2>&1)"
    sleep 0.5
  done
}

remove_volumes() {
  "$RUN" volume rm "${VOLUMES[@]}" >/dev/null 2>&1
}

clean_up() {
  if [ -n "${COMPOSE_STARTED:-}" ]; then compose down --volumes >/dev/null 2>&1 || true; fi
  "$RUN" rm --force "$NAME" >/dev/null 2>&1 || true
  remove_volumes || true
  if [ -n "${STAND_INS:-}" ]; then remove_stand_ins; fi
}

say() {
  printf 'image: %s\n' "$@" >&2
}

give_up() {
  say "$@"
  exit 69
}

main
