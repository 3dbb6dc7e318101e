#!/usr/bin/env bash
# Sets up SpeedSnake on this machine for the current user, and runs it. See `./bootstrap.sh --help`.
# Installs everything into .venv/ and .tools/ beside this file. Works with bash 3.2 (macOS).
set -euo pipefail

UV_VERSION=0.13.9
UV_MINIMUM=0.9.0 # the first version that can build this project (pyproject.toml, build-system)
PYTHON_VERSION=3.13
SPEEDTEST_CLI_VERSION=2.1.3
PROCESSES=4 # of pytest; two cores carry them, for most tests wait for a child
FAST_TESTS="not standins and not slow and not browser and not real_program" # pyproject.toml says what each is

UNUSABLE=64    # sysexits' EX_USAGE
UNAVAILABLE=69 # sysexits' EX_UNAVAILABLE

show_help() {
  cat <<'HELP'
SpeedSnake measures your internet line every ten minutes and keeps the results.

  ./bootstrap.sh          set everything up, then run the daemon in the foreground (Ctrl-C or SIGTERM stops it)
  ./bootstrap.sh setup    only set everything up
  ./bootstrap.sh demo [OPTION ...]    show a year of sample results, in the folder demo/; measures nothing
  ./bootstrap.sh test     set up for development, then lint, check types and run all tests: minutes
  ./bootstrap.sh test --fast          the same with the quick tests only: no slow ones, no browser, no real programs
  ./bootstrap.sh bench [OPTION ...]   compare the costs of SpeedSnake with those of similar tools; --quick: two minutes
  ./bootstrap.sh faults [OPTION ...]  prove that no fault loses or duplicates a row; --short: three minutes
  ./bootstrap.sh lint-all             lint all that is not Python: workflows, templates, containers, scripts
  ./bootstrap.sh test-infrastructure  deploy the templates in infrastructure/ to stand-ins for AWS on this machine
  ./bootstrap.sh image                build the production image and check that it runs (docker/image.sh)
  ./bootstrap.sh --help   show this text

It needs bash, and curl or wget. It never needs root. It installs uv, Python 3.13, the libraries and a speed-test
program into .venv/ and .tools/ beside this script, unless this machine has them already. To undo it, delete both
folders. A second run installs nothing and starts at once.

The daemon runs in the folder of this script. Its default folders ./results, ./uploads and ./logs are there, and a
relative RESULT_DIR, UPLOAD_DIR or LOG_DIR starts there.

Environment variables:
  SLEEP_SECONDS               seconds between two tests; default 600
  SPEEDTEST_ENGINE            speedtest-cli: install and use only that free program; ookla: only Ookla's;
                              http: use only SpeedSnake's own, which needs no installation
  COMMIT_HASH                 saved with every row; default: the commit of this checkout
  BOOTSTRAP_OOKLA_URL         download Ookla's archive from this folder, e.g. a mirror; the pinned checksum stays
  IMAGE_STAND_INS             if set, build the image without an image registry (docker/stand-ins.sh)
  BOOTSTRAP_UV_INSTALLER_URL  download uv's installer from here
All other variables are passed on to the daemon (see README.md) and to uv, for example UV_PYTHON or a proxy.

Exit codes: 64 unknown command, 69 something could not be installed, 78 the daemon refuses its settings. `test` exits
with the code of the first tool that failed; the other commands with that of the program they run.
HELP
}

main() {
  PROJECT=$(folder_of "${BASH_SOURCE[0]}")
  TOOLS=$PROJECT/.tools
  cd "$PROJECT"
  unset VIRTUAL_ENV UV_PROJECT_ENVIRONMENT # they may belong to another project

  case ${1:-run} in
    bench | demo | faults | test) ;; # these take options
    *) if [ $# -gt 1 ]; then refuse "only one command is allowed, without options: $*"; fi ;;
  esac
  case ${1:-run} in
    run) verb_run ;;
    setup) verb_setup ;;
    demo)
      shift
      verb_demo "$@"
      ;;
    test)
      shift
      case $* in
        "")
          verb_test
          # By file: what a file prepares once may take minutes.
          pytest --numprocesses "$PROCESSES" --dist loadfile -m "not standins and not alone and not ($FAST_TESTS)"
          pytest -m alone
          ;;
        --fast) verb_test ;;
        *) refuse "test takes --fast or nothing, not: $*" ;;
      esac
      ;;
    bench)
      shift
      verb_bench "$@"
      ;;
    faults)
      shift
      verb_faults "$@"
      ;;
    lint-all) verb_lint-all ;;
    test-infrastructure) verb_test-infrastructure ;;
    image) verb_image ;;
    help | -h | --help) show_help ;;
    *) refuse "unknown command: $1" ;;
  esac
}

# ---------------------------------------------------------------------------------------------------- commands

verb_run() {
  verb_setup
  name_commit
  export SLEEP_SECONDS=${SLEEP_SECONDS:-600}
  exec .venv/bin/python -m speedtest.handlers.loop
}

verb_setup() {
  bring_uv
  bring_python
  bring_libraries --inexact # keep what `test` installed
  bring_speedtest_program
}

verb_demo() {
  bring_uv
  bring_python
  bring_libraries --inexact
  exec .venv/bin/speedsnake demo "$@"
}

verb_test() {
  bring_for_development
  ruff check speedtest/ tests/ .github/scripts/
  ruff format --check speedtest/ tests/ .github/scripts/
  pyrefly check
  pyrefly check .github/scripts/*.py # pyrefly checks hidden folders only if named
  shellcheck bootstrap.sh .ci/run
  pytest --numprocesses "$PROCESSES" --dist worksteal -m "$FAST_TESTS"
}

verb_bench() {
  bring_for_development
  exec .venv/bin/python -m tests.benchmarks "$@"
}

verb_faults() {
  bring_for_development
  exec .venv/bin/python -m tests.faults "$@"
}

verb_lint-all() {
  bring_for_development
  bring_tools lint
  exec .ci/lint-all
}

verb_test-infrastructure() {
  bring_for_development
  bring_tools aws --exclude-newer 2026-03-05
  exec pytest -m standins tests/project/test_deployment.py
}

verb_image() {
  bring_uv
  export PATH="${UV%/*}:$PATH"
  exec docker/image.sh
}

bring_for_development() {
  bring_uv
  bring_python
  bring_libraries --group development
  export PATH="$PROJECT/.venv/bin:${UV%/*}:$PATH" # the tests call uv by its name
}

# Installs the tools that .ci/NAME.txt lists into .tools/NAME.
bring_tools() {
  local name=$1
  shift
  [ -x ".tools/$name/bin/python" ] || "$UV" venv --quiet ".tools/$name"
  "$UV" pip install --quiet --python ".tools/$name/bin/python" --requirements ".ci/$name.txt" "$@" ||
    give_up "the tools in .ci/$name.txt could not be installed." "Connect this machine to the internet and retry."
}

# ---------------------------------------------------------------------------------------------------------- uv

bring_uv() {
  if find_uv; then return; fi
  say "installing uv $UV_VERSION into .tools/: this machine has no uv $UV_MINIMUM or newer"
  mkdir -p "$TOOLS"
  install_uv_by_its_installer || install_uv_into_venv || install_uv_into_folder || true
  find_uv || give_up "uv, which installs everything else, could not be installed." \
    "Connect this machine to the internet, or install uv yourself: https://docs.astral.sh/uv/ or 'pip install uv'."
}

# Sets UV to the first uv that runs in this folder. A shim with that name may not.
find_uv() {
  while IFS= read -r UV; do
    if uv_is_usable "$UV"; then return; fi
  done <<CANDIDATES
$(type -aP uv || true)
$TOOLS/bin/uv
$TOOLS/uv/bin/uv
CANDIDATES
  return 1
}

uv_is_usable() {
  local version
  version=$("$1" --version 2>/dev/null </dev/null) || return 1
  version=${version#uv }
  is_at_least "${version%% *}" "$UV_MINIMUM"
}

is_at_least() {
  [ "$(printf '%s\n' "$1" "$2" | sort -t . -k 1,1n -k 2,2n -k 3,3n | head -n 1)" = "$2" ]
}

install_uv_by_its_installer() (
  url=${BOOTSTRAP_UV_INSTALLER_URL:-https://astral.sh/uv/$UV_VERSION/install.sh}
  make_download_folder
  installer=$DOWNLOADS/install.sh
  if ! reason=$(download "$url" "$installer" 2>&1); then
    say "uv's installer could not be downloaded from $url: ${reason:-no answer}; trying pip"
  elif ! is_whole_installer "$installer"; then
    say "the file from $url is not the complete installer of uv $UV_VERSION and was not run; trying pip"
  else
    UV_UNMANAGED_INSTALL="$TOOLS/bin" sh "$installer" >&2 && return
    say "uv's installer failed; trying pip"
  fi
  return 1
)

# The publisher provides no checksum. So check the version, that the last line arrived (it calls the functions above),
# and that a shell can parse the file.
is_whole_installer() {
  grep -q "^APP_VERSION=\"$UV_VERSION\"" "$1" &&
    grep . "$1" | tail -n 1 | grep -q '"$@"' &&
    sh -n "$1" 2>/dev/null
}

install_uv_into_venv() {
  python3 -m venv --clear "$TOOLS/uv" >/dev/null 2>&1 &&
    install_uv_by_pip "$TOOLS/uv/bin/python"
}

# For a Python without venv: Debian has it in a separate package.
install_uv_into_folder() {
  rm -rf "$TOOLS/uv"
  install_uv_by_pip python3 --target "$TOOLS/uv"
}

install_uv_by_pip() {
  local python=$1
  shift
  PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore \
    "$python" -m pip install --quiet --retries 1 --timeout 15 "$@" "uv==$UV_VERSION" >&2
}

# -------------------------------------------------------------------------------------- Python and the libraries

# uv would use the pinned version or download it. Prefer a newer Python that is already installed to a download.
bring_python() {
  if [ -n "${UV_PYTHON:-}" ] || has_python "$PYTHON_VERSION"; then return; fi
  if has_python ">=$PYTHON_VERSION"; then
    export UV_PYTHON=">=$PYTHON_VERSION"
    return
  fi
  "$UV" python install --no-bin "$PYTHON_VERSION" ||
    give_up "Python $PYTHON_VERSION is not on this machine and could not be downloaded." \
      "Connect this machine to the internet, or install Python $PYTHON_VERSION or newer, then retry."
}

has_python() {
  "$UV" python find "$1" >/dev/null 2>&1
}

# Compile bytecode now: else pandas takes a second longer at every start.
bring_libraries() {
  UV_COMPILE_BYTECODE=${UV_COMPILE_BYTECODE:-1} "$UV" sync --locked "$@" ||
    give_up "the libraries in uv.lock could not be installed into .venv: see uv's message above." \
      "Connect this machine to the internet and retry; finished downloads are kept."
  export PATH="$PROJECT/.venv/bin:$PATH"
}

# --------------------------------------------------------------------------------------- the speed-test program

bring_speedtest_program() {
  if has_speedtest_program; then return; fi
  case ${SPEEDTEST_ENGINE:-auto} in
    ookla) bring_ookla ;;
    speedtest-cli) bring_speedtest_cli ;;
    auto) bring_ookla || bring_speedtest_cli || rely_on_our_own ;;
    *) bring_ookla || bring_speedtest_cli ;;
  esac ||
    give_up "this machine has no speed-test program, and none could be installed." \
      "Connect this machine to the internet and retry, or put Ookla's 'speedtest'" \
      "(https://www.speedtest.net/apps/cli) or 'speedtest-cli' (a package of most systems) on the PATH."
}

# SpeedSnake's own program is always there, and `auto` falls back to it.
rely_on_our_own() {
  say "neither Ookla's CLI nor speedtest-cli could be installed: SpeedSnake's own program measures against Cloudflare's" \
    "public service instead (docs/http.md). Connect this machine to the internet and retry, or put Ookla's 'speedtest'" \
    "(https://www.speedtest.net/apps/cli) or 'speedtest-cli' (a package of most systems) on the PATH."
}

# Asks the daemon whether it finds a working one; of `auto`, one that is no fallback. If the daemon refuses its
# settings, the set-up ends.
has_speedtest_program() {
  local said code=0
  said=$(.venv/bin/python -m speedtest.handlers.loop --check 2>&1 </dev/null) || code=$?
  case $code in
    0) [ "${SPEEDTEST_ENGINE:-auto}" != auto ] || grep -q -E '^program .*\((ookla|speedtest-cli) ' <<<"$said" ;;
    "$UNAVAILABLE") return 1 ;;
    *)
      say "the daemon cannot start:" "$said"
      exit "$code"
      ;;
  esac
}

bring_ookla() {
  unpack_ookla || return 1
  if has_speedtest_program; then
    show_ookla_licence
  else
    rm -f .venv/bin/speedtest
    say "Ookla's CLI does not run on this machine and was deleted"
    return 1
  fi
}

unpack_ookla() (
  if ! processor=$(ookla_processor) || ! pin=$(grep -e "-linux-${processor}[.]tgz\$" docker/ookla-speedtest.sha256); then
    say "no version of Ookla's CLI is pinned for $(uname -s) on $(uname -m)"
    return 1
  fi
  make_download_folder
  archive=$DOWNLOADS/${pin##* }
  url=${BOOTSTRAP_OOKLA_URL:-https://install.speedtest.net/app/cli}/${pin##* }
  if ! reason=$(download "$url" "$archive" 2>&1); then
    say "Ookla's CLI could not be downloaded from $url: ${reason:-no answer}"
    return 1
  fi
  has_checksum "$archive" "${pin%% *}" "$url" &&
    tar -xzf "$archive" -C "$DOWNLOADS" speedtest &&
    mv -f "$DOWNLOADS/speedtest" .venv/bin/speedtest
)

# Prints the processor as Ookla names it. The programs are linked statically, so only the kernel matters.
ookla_processor() {
  if [ "$(uname -s)" != Linux ]; then return 1; fi
  case $(uname -m) in
    x86_64 | amd64) echo x86_64 ;;
    aarch64 | arm64) echo aarch64 ;;
    armv7l | armv8l) echo armhf ;;
    armv6l) echo armel ;;
    i386 | i486 | i586 | i686) echo i386 ;;
    *) return 1 ;;
  esac
}

has_checksum() {
  local file=$1 wanted=$2 url=$3 found
  found=$(sha256 "$file")
  if [ -n "$found" ] && [ "$found" = "$wanted" ]; then return; fi
  rm -f "$file"
  say "REFUSED: the file from $url is not the pinned version of Ookla's program. It was deleted and not run." \
    "SHA-256 expected: $wanted" "SHA-256 found:    ${found:-none: this machine has neither sha256sum nor shasum}"
  return 1
}

sha256() {
  if command -v sha256sum >/dev/null; then sha256sum <"$1"; else shasum -a 256 <"$1"; fi 2>/dev/null | cut -d ' ' -f 1
}

show_ookla_licence() {
  say "Ookla's Speedtest CLI is now in .venv/bin. Please read its terms: you may use it personally, on your own" \
    "computer, and not commercially. Its tests send your address and results to Ookla. SpeedSnake accepts" \
    "the terms in your name with each test:" \
    "  https://www.speedtest.net/about/eula" \
    "  https://www.speedtest.net/about/terms" \
    "  https://www.speedtest.net/about/privacy" \
    "If you do not agree, delete .venv/bin/speedtest and set SPEEDTEST_ENGINE=speedtest-cli, a free program."
}

# Installs it into its own environment: its module is called `speedtest`, like the package of this project.
bring_speedtest_cli() {
  local home=$TOOLS/speedtest-cli
  if ! "$home/bin/speedtest-cli" --version >/dev/null 2>&1; then
    say "installing speedtest-cli $SPEEDTEST_CLI_VERSION"
    rm -rf "$home"
    UV_TOOL_DIR=$home UV_TOOL_BIN_DIR=$home/bin \
      "$UV" tool install --quiet --python .venv/bin/python "speedtest-cli==$SPEEDTEST_CLI_VERSION" || return 1
  fi
  ln -sf "$home/bin/speedtest-cli" .venv/bin/speedtest-cli
  has_speedtest_program
}

# ------------------------------------------------------------------------------------------------------- helpers

# Prints the folder of a script, following symbolic links.
folder_of() {
  local script=$1 target
  while [ -L "$script" ]; do
    target=$(readlink "$script")
    case $target in
      /*) script=$target ;;
      *) script=$(dirname "$script")/$target ;;
    esac
  done
  (CDPATH='' cd "$(dirname "$script")" && pwd -P)
}

# Sets COMMIT_HASH, unless this is no git checkout.
name_commit() {
  local commit
  if [ -n "${COMMIT_HASH:-}" ] || [ ! -e .git ]; then return; fi
  if commit=$(git rev-parse HEAD 2>/dev/null); then export COMMIT_HASH=$commit; fi
}

# Sets DOWNLOADS. Call it in a subshell: the folder is removed when the subshell ends.
make_download_folder() {
  mkdir -p "$TOOLS"
  DOWNLOADS=$(mktemp -d "$TOOLS/download.XXXXXX")
  trap 'rm -rf "$DOWNLOADS"' EXIT
}

# A short limit to connect, so that a machine without internet does not wait; a long one to transfer, for slow lines.
download() {
  local url=$1 file=$2
  if command -v curl >/dev/null; then
    curl -fsSL --connect-timeout 5 --max-time 600 -o "$file" "$url"
  elif command -v wget >/dev/null; then
    wget -q -t 1 -T 15 -O "$file" "$url"
  else
    echo "this machine has neither curl nor wget"
    return 1
  fi
}

say() {
  printf 'bootstrap: %s\n' "$@" >&2
}

give_up() {
  say "$@"
  exit "$UNAVAILABLE"
}

refuse() {
  say "$1"
  show_help >&2
  exit "$UNUSABLE"
}

main "$@"; exit # on one line, because bash keeps reading this file, which an update may have changed
