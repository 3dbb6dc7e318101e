#!/usr/bin/env bash
# Sets SpeedSnake up on this machine, as the user who calls it, and runs it. `./bootstrap.sh --help` says how.
# Everything it brings lies in .venv/ and .tools/ beside this file. Kept to what bash 3.2 (macOS) understands.
set -euo pipefail

UV_VERSION=0.13.9
UV_MINIMUM=0.9.0 # the first that builds this project itself (pyproject.toml, build-system)
PYTHON_VERSION=3.13
SPEEDTEST_CLI_VERSION=2.1.3
FAST_TESTS="not standins and not slow and not browser and not real_program" # pyproject.toml says what each is

UNUSABLE=64    # sysexits' EX_USAGE
UNAVAILABLE=69 # sysexits' EX_UNAVAILABLE

show_help() {
  cat <<'HELP'
SpeedSnake: measures your internet line every ten minutes and keeps what it measured.

  ./bootstrap.sh          set everything up, then run the daemon in the foreground (Ctrl-C or SIGTERM stops it)
  ./bootstrap.sh setup    only set everything up
  ./bootstrap.sh demo [OPTION ...]    show what a year of results looks like, in the folder demo/; measures nothing
  ./bootstrap.sh test     set up for development, then lint, check types and run all tests; minutes
  ./bootstrap.sh test --fast          the same with the quick tests only: none is slow, none needs a browser or runs a
                                      real speed-test program; a minute
  ./bootstrap.sh bench [OPTION ...]   measure what SpeedSnake costs beside its peers; --quick in two minutes
  ./bootstrap.sh faults [OPTION ...]  prove that no fault loses or doubles a row; --short in three minutes
  ./bootstrap.sh lint-all             lint what is not Python too: workflows, templates, containers, scripts
  ./bootstrap.sh test-infrastructure  deploy the templates in infrastructure/ to stand-ins for AWS on this machine
  ./bootstrap.sh image                build the production image and prove that it runs (docker/image.sh)
  ./bootstrap.sh --help   this text

It needs bash, and curl or wget; it never needs root. It brings what is missing of uv, Python 3.13, the libraries and
a speed-test program into .venv/ and .tools/ beside this script; deleting both undoes it. What is there already is
used as it is, so a second run starts at once.

The daemon runs in the folder of this script, wherever it was called from: a relative RESULT_DIR, UPLOAD_DIR or
LOG_DIR, and their defaults ./results, ./uploads and ./logs, lie there.

Environment variables:
  SLEEP_SECONDS               seconds between two tests; 600 unless set
  SPEEDTEST_ENGINE            speedtest-cli: bring and use only that free program; ookla: only Ookla's
  COMMIT_HASH                 kept with every row; the commit of this checkout unless set
  BOOTSTRAP_OOKLA_URL         folder to download Ookla's archive from, e.g. a mirror; its checksum stays pinned
  IMAGE_STAND_INS             set: build the image where no image registry can be reached (docker/stand-ins.sh)
  BOOTSTRAP_UV_INSTALLER_URL  where to download uv's installer from
All others are passed on: those of the daemon (see README.md), and those of uv, such as UV_PYTHON or a proxy.

Exit codes: 64 unknown command, 69 something needed could not be had, 78 the daemon refuses its settings; of `test`,
that of the first tool that found something; else those of the daemon.
HELP
}

main() {
  PROJECT=$(folder_of "${BASH_SOURCE[0]}")
  TOOLS=$PROJECT/.tools
  cd "$PROJECT"
  unset VIRTUAL_ENV UV_PROJECT_ENVIRONMENT # of another project

  case ${1:-run} in
    bench | demo | faults | test) ;; # have options
    *) if [ $# -gt 1 ]; then refuse "one command at a time, not: $*"; fi ;;
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
        "") verb_test ;;
        --fast) verb_test --numprocesses 2 --dist worksteal -m "$FAST_TESTS" ;;
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
  bring_libraries --inexact # what `test` brought may stay
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
  pyrefly check .github/scripts/*.py # hidden folders it only looks into when told
  shellcheck bootstrap.sh .ci/run
  pytest "$@"
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
  export PATH="$PROJECT/.venv/bin:${UV%/*}:$PATH" # the tests start uv by its name
}

# The tools that .ci/NAME.txt names, into .tools/NAME.
bring_tools() {
  local name=$1
  shift
  [ -x ".tools/$name/bin/python" ] || "$UV" venv --quiet ".tools/$name"
  "$UV" pip install --quiet --python ".tools/$name/bin/python" --requirements ".ci/$name.txt" "$@" ||
    give_up "the tools that .ci/$name.txt names could not be had." "Connect this machine to the internet and start again."
}

# ---------------------------------------------------------------------------------------------------------- uv

bring_uv() {
  if find_uv; then return; fi
  say "bringing uv $UV_VERSION into .tools/: none answers here that is $UV_MINIMUM or newer"
  mkdir -p "$TOOLS"
  install_uv_by_its_installer || install_uv_into_venv || install_uv_into_folder || true
  find_uv || give_up "uv, which brings everything else, could not be had." \
    "Connect this machine to the internet, or install uv yourself: https://docs.astral.sh/uv/ or 'pip install uv'."
}

# Sets UV to the first one that answers in this folder; a shim that only bears the name does not.
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
    say "what $url sent is not the whole installer of uv $UV_VERSION and was not run; trying pip"
  else
    UV_UNMANAGED_INSTALL="$TOOLS/bin" sh "$installer" >&2 && return
    say "uv's installer failed; trying pip"
  fi
  return 1
)

# Its publisher gives no checksum for it. What can be seen before it is run: that it is of this version, that its last
# line arrived, the call of the functions above it, and that a shell understands it.
is_whole_installer() {
  grep -q "^APP_VERSION=\"$UV_VERSION\"" "$1" &&
    grep . "$1" | tail -n 1 | grep -q '"$@"' &&
    sh -n "$1" 2>/dev/null
}

install_uv_into_venv() {
  python3 -m venv --clear "$TOOLS/uv" >/dev/null 2>&1 &&
    install_uv_by_pip "$TOOLS/uv/bin/python"
}

# For a Python without venv, as Debian splits it.
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

# uv's own order of choice is the pinned version or a download. A newer Python that is here already comes before one.
bring_python() {
  if [ -n "${UV_PYTHON:-}" ] || has_python "$PYTHON_VERSION"; then return; fi
  if has_python ">=$PYTHON_VERSION"; then
    export UV_PYTHON=">=$PYTHON_VERSION"
    return
  fi
  "$UV" python install --no-bin "$PYTHON_VERSION" ||
    give_up "Python $PYTHON_VERSION is not on this machine and could not be downloaded." \
      "Connect this machine to the internet, or install Python $PYTHON_VERSION or newer, then start again."
}

has_python() {
  "$UV" python find "$1" >/dev/null 2>&1
}

# Compiled at once: pandas would take a second longer at every start.
bring_libraries() {
  UV_COMPILE_BYTECODE=${UV_COMPILE_BYTECODE:-1} "$UV" sync --locked "$@" ||
    give_up "the libraries that uv.lock names could not be installed into .venv; uv says above why." \
      "Connect this machine to the internet and start again: what has been downloaded is kept."
  export PATH="$PROJECT/.venv/bin:$PATH"
}

# --------------------------------------------------------------------------------------- the speed-test program

bring_speedtest_program() {
  if has_speedtest_program; then return; fi
  case ${SPEEDTEST_ENGINE:-auto} in
    ookla) bring_ookla ;;
    speedtest-cli) bring_speedtest_cli ;;
    *) bring_ookla || bring_speedtest_cli ;;
  esac ||
    give_up "no speed-test program is on this machine and none could be had." \
      "Connect this machine to the internet and start again, or put Ookla's 'speedtest'" \
      "(https://www.speedtest.net/apps/cli) or 'speedtest-cli' (a package of most systems) on the PATH."
}

# The daemon says itself whether it finds one that answers; what else it says, on its settings, ends the set-up.
has_speedtest_program() {
  local said code=0
  said=$(.venv/bin/python -m speedtest.handlers.loop --check 2>&1 </dev/null) || code=$?
  case $code in
    0) return 0 ;;
    "$UNAVAILABLE") return 1 ;;
    *)
      say "the daemon would not start:" "$said"
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
    say "no build of Ookla's CLI is pinned for $(uname -s) on $(uname -m)"
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

# As its publisher names it. Its programs are linked statically: what counts is the kernel, not the system's libraries.
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
  say "REFUSED: what $url sent is not Ookla's program. It was deleted and not run." \
    "SHA-256 wanted: $wanted" "SHA-256 found:  ${found:-none: neither sha256sum nor shasum is here}"
  return 1
}

sha256() {
  if command -v sha256sum >/dev/null; then sha256sum <"$1"; else shasum -a 256 <"$1"; fi 2>/dev/null | cut -d ' ' -f 1
}

show_ookla_licence() {
  say "Ookla's Speedtest CLI is now in .venv/bin. Please read its terms: it may be used by you personally, on your" \
    "own computer, and not commercially, and its tests send your address and results to Ookla. SpeedSnake" \
    "accepts them in your name with each test:" \
    "  https://www.speedtest.net/about/eula" \
    "  https://www.speedtest.net/about/terms" \
    "  https://www.speedtest.net/about/privacy" \
    "If you do not agree, delete .venv/bin/speedtest and set SPEEDTEST_ENGINE=speedtest-cli, a free program."
}

# In an environment of its own: its package holds a module called `speedtest`, as this project's is.
bring_speedtest_cli() {
  local home=$TOOLS/speedtest-cli
  if ! "$home/bin/speedtest-cli" --version >/dev/null 2>&1; then
    say "bringing speedtest-cli $SPEEDTEST_CLI_VERSION"
    rm -rf "$home"
    UV_TOOL_DIR=$home UV_TOOL_BIN_DIR=$home/bin \
      "$UV" tool install --quiet --python .venv/bin/python "speedtest-cli==$SPEEDTEST_CLI_VERSION" || return 1
  fi
  ln -sf "$home/bin/speedtest-cli" .venv/bin/speedtest-cli
  has_speedtest_program
}

# ------------------------------------------------------------------------------------------------------- helpers

# The folder of a script, also when it was called through symbolic links.
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

# Unset where this is no checkout: nothing then says which commit it is.
name_commit() {
  local commit
  if [ -n "${COMMIT_HASH:-}" ] || [ ! -e .git ]; then return; fi
  if commit=$(git rev-parse HEAD 2>/dev/null); then export COMMIT_HASH=$commit; fi
}

# Sets DOWNLOADS; called in a subshell, whose end removes the folder.
make_download_folder() {
  mkdir -p "$TOOLS"
  DOWNLOADS=$(mktemp -d "$TOOLS/download.XXXXXX")
  trap 'rm -rf "$DOWNLOADS"' EXIT
}

# Short to connect, so that a machine without internet is not kept waiting; long to transfer, for slow lines.
download() {
  local url=$1 file=$2
  if command -v curl >/dev/null; then
    curl -fsSL --connect-timeout 5 --max-time 600 -o "$file" "$url"
  elif command -v wget >/dev/null; then
    wget -q -t 1 -T 15 -O "$file" "$url"
  else
    echo "neither curl nor wget is here"
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

main "$@"; exit # on one line: bash reads on in a file that an update has changed under it
