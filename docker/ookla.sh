#!/bin/sh
# Downloads the pinned version of Ookla's CLI, checks its SHA-256 and unpacks it into a folder: ookla.sh FOLDER
# The build of an image sets TARGETARCH, the image's processor. Set OOKLA_URL to download from elsewhere, such as a
# mirror, and OOKLA_SHA256 if the archive there is not Ookla's own.
set -eu

case ${TARGETARCH:-$(uname -m)} in
  amd64 | x86_64) processor=x86_64 ;;
  arm64 | aarch64) processor=aarch64 ;;
  *)
    echo "ookla.sh: no version of Ookla's CLI is pinned for the processor ${TARGETARCH:-$(uname -m)}" >&2
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
