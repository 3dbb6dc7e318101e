#!/bin/sh
# Brings Ookla's CLI, of the pinned version and checked against its SHA-256, into a folder: ookla.sh FOLDER
# For an image's build: TARGETARCH is the image's processor. OOKLA_URL is another place to download from, such as a
# mirror, and OOKLA_SHA256 the checksum of what lies there, if that is not Ookla's own archive.
set -eu

case ${TARGETARCH:-$(uname -m)} in
  amd64 | x86_64) processor=x86_64 ;;
  arm64 | aarch64) processor=aarch64 ;;
  *)
    echo "ookla.sh: no archive of Ookla's CLI is pinned for ${TARGETARCH:-$(uname -m)}" >&2
    exit 69
    ;;
esac

pins=$(dirname "$0")/ookla-speedtest.sha256
pin=$(grep -e "-linux-${processor}[.]tgz\$" "$pins")
archive=${pin##* }
folder=$(mktemp -d)
cd "$folder"
python3 -c 'import sys, urllib.request; urllib.request.urlretrieve(*sys.argv[1:])' "${OOKLA_URL:-https://install.speedtest.net/app/cli}/$archive" "$archive"
echo "${OOKLA_SHA256:-${pin%% *}}  $archive" | sha256sum --check --strict
tar -xzf "$archive" --no-same-owner -C "$1" speedtest
cd /
rm -r "$folder"
