#!/usr/bin/env bash
# Make this checkout ready: Debian packages, the suite's environment, the lab's environment.
# Safe to repeat: each step looks first. Needs Debian 12 or newer and Python 3.11 or newer.
set -euo pipefail
cd "$(dirname "$0")/.."

UV_VERSION=0.13.9
PYTHON=${PYTHON:-python3}
# mmdebstrap unpacks the userland of the lab's machines, gcc builds its uname shim,
# uidmap lets an ordinary user run machines with several users in them.
# tcsh is a login shell that differs from all others,
# pango draws the certificate's PDF; chromium and postgresql are what the reports are tested with.
PACKAGES=(gcc libc6-dev mmdebstrap python3-venv shellcheck tcsh uidmap
          chromium fonts-dejavu-core libharfbuzz-subset0 libpango-1.0-0 libpangoft2-1.0-0 postgresql)

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

missing_packages() {
    local package
    for package in "${PACKAGES[@]}"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || echo "$package"
    done
}

install_packages() {
    local missing become=()
    mapfile -t missing < <(missing_packages)
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" -ne 0 ]; then
        if ! sudo -n true 2>/dev/null; then
            say "These Debian packages are missing. As root, type:"
            say "    apt-get update && apt-get install --no-install-recommends -y ${missing[*]}"
            die "then run this command again"
        fi
        become=(sudo)
    fi
    say "installing Debian packages: ${missing[*]}"
    "${become[@]}" apt-get update -q
    "${become[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install --no-install-recommends -q -y "${missing[@]}"
}

check_python() {
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
        die "Python 3.11 or newer is needed; '$PYTHON' is $("$PYTHON" --version 2>&1). Set PYTHON=/path/to/python3"
}

make_suite_environment() {
    if ! [ -x .venv/bin/uv ] || ! .venv/bin/uv --version | grep -qF "$UV_VERSION"; then
        say "making .venv"
        "$PYTHON" -m venv .venv
        .venv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$UV_VERSION"
    fi
    .venv/bin/uv pip install --quiet --python .venv/bin/python -r requirements/dev.txt
}

[ -r /etc/debian_version ] || die "the lab needs Debian 12 or newer"
install_packages
check_python
make_suite_environment
.venv/bin/python -m lab install
