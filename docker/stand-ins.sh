# shellcheck shell=bash
# Sourced by image.sh on a machine that reaches Debian and PyPI, but no image registry. Makes stand-ins for the
# Dockerfile's base images and leaves the Dockerfile unchanged: Debian's Python instead of Python's image, the program
# from uv's wheel instead of uv's image, and instead of Ookla's archive a script that says that the line is down.
# Needs root, debootstrap, uv, and podman or buildah.

UV_VERSION=0.13.9
OOKLA_PORT=45871

make_stand_ins() {
  case $BUILDER in
    podman | buildah) ;;
    *) give_up "stand-ins need podman or buildah: install one of them, then retry" ;;
  esac
  STAND_INS=$(mktemp -d)
  adapt_to_sandbox
  stand_in_for_python
  stand_in_for_uv
  stand_in_for_ookla
  BUILD_OPTIONS+=(--pull-never
    --build-context "$(base python)=container-image://localhost/stand-in/python"
    --build-context "$(base ghcr.io/astral-sh/uv)=container-image://localhost/stand-in/uv"
    --build-arg "OOKLA_URL=http://127.0.0.1:$OOKLA_PORT"
    --build-arg "OOKLA_SHA256=$OOKLA_SHA256")
}

# Prints an image of the Dockerfile with its version and digest.
base() {
  grep -o "^FROM $1:[^ ]*" "$DOCKERFILE" | cut -d ' ' -f 2
}

# A machine without a registry probably also has no systemd, and no right to raise limits.
adapt_to_sandbox() {
  export BUILDAH_ISOLATION=chroot CONTAINERS_CONF=$STAND_INS/containers.conf
  cat >"$CONTAINERS_CONF" <<'CONF'
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
[containers]
default_ulimits = ["nofile=8192:8192", "nproc=8192:8192"]
CONF
}

# The image is kept for the next run.
stand_in_for_python() {
  local root=$STAND_INS/python
  if [ -n "$("$BUILDER" images --quiet localhost/stand-in/python 2>/dev/null)" ]; then return; fi
  say "making a stand-in for Python's image"
  debootstrap --variant=minbase --include=ca-certificates,netbase,python3.13,tzdata trixie "$root" >"$STAND_INS/log" ||
    give_up "Debian's base system could not be downloaded: $(tail -n 5 "$STAND_INS/log")"
  ln -s /usr/bin/python3.13 "$root/usr/local/bin/python"
  ln -s /usr/bin/python3.13 "$root/usr/local/bin/python3"
  rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/var/log/*
  # A machine behind a proxy that reads TLS has a certificate authority of its own. The build needs it too.
  cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
  cat >"$STAND_INS/Dockerfile" <<'DOCKERFILE'
FROM scratch
COPY . /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
DOCKERFILE
  build_stand_in python "$root"
}

stand_in_for_uv() {
  uv pip install --quiet --target "$STAND_INS/uv" "uv==$UV_VERSION"
  printf 'FROM scratch\nCOPY uv /uv\n' >"$STAND_INS/Dockerfile"
  build_stand_in uv "$STAND_INS/uv/bin"
}

build_stand_in() {
  "$BUILDER" build --quiet --file "$STAND_INS/Dockerfile" --tag "localhost/stand-in/$1" "$2" >/dev/null
}

stand_in_for_ookla() {
  local folder=$STAND_INS/ookla archive
  mkdir "$folder"
  cat >"$folder/speedtest" <<'SPEEDTEST'
#!/bin/sh
case $* in
  *--version*) echo "Speedtest by Ookla 1.2.0.84 (stand-in) Linux/x86_64-linux-musl" ;;
  *)
    echo '{"error":"Cannot open socket"}'
    exit 2
    ;;
esac
SPEEDTEST
  chmod 755 "$folder/speedtest"
  tar -czf "$folder/archive" -C "$folder" speedtest
  OOKLA_SHA256=$(sha256sum <"$folder/archive" | cut -d ' ' -f 1)
  while read -r _ archive; do ln "$folder/archive" "$folder/$archive"; done <docker/ookla-speedtest.sha256
  uv run --quiet --no-project python -m http.server --bind 127.0.0.1 --directory "$folder" "$OOKLA_PORT" >/dev/null 2>&1 &
  OOKLA_SERVER=$!
}

remove_stand_ins() {
  if [ -n "${OOKLA_SERVER:-}" ]; then kill "$OOKLA_SERVER" 2>/dev/null || true; fi
  rm -rf "$STAND_INS"
}
