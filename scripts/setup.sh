#!/usr/bin/env bash
# Make this checkout ready. Safe to repeat: each step looks first. Needs Python 3.11 or newer.
#   setup.sh         the suite, what tests it, and the embedded lab: Debian 12, Ubuntu 24.04 or newer
#   setup.sh suite   the suite alone: RHEL, Rocky, Alma, CentOS Stream 9 or newer, too
set -euo pipefail
cd "$(dirname "$0")/.."

UV_VERSION=0.13.9
PYTHON=${PYTHON:-python3}
WHAT=${1:-all}
OS_RELEASE=${OS_RELEASE:-/etc/os-release}
# pango draws the certificate's PDF, shellcheck reads the scripts of a deployment
SUITE_DEBIAN=(fonts-dejavu-core libharfbuzz-subset0 libpango-1.0-0 libpangoft2-1.0-0 openssh-client
              python3-venv shellcheck)
# ShellCheck is in EPEL alone: without it preflight says that it read no scripts
SUITE_REDHAT=(dejavu-sans-fonts openssh-clients pango)
# mmdebstrap unpacks the userland of the lab's machines, gcc builds its uname shim,
# uidmap lets an ordinary user run machines with several users in them.
# tcsh is a login shell that differs from all others; chromium and postgresql are what the reports are tested with.
LAB_DEBIAN=(chromium gcc libc6-dev mmdebstrap postgresql tcsh uidmap)

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# debian or redhat: the family of this system, by its own words
family() {
    local words
    # shellcheck source=/dev/null
    words=$(. "$OS_RELEASE" 2>/dev/null && echo " ${ID:-} ${ID_LIKE:-} ")
    case "$words" in
        *" debian "* | *" ubuntu "*) echo debian ;;
        *" rhel "* | *" fedora "* | *" centos "*) echo redhat ;;
        *) echo other ;;
    esac
}

# the packages of the list that are missing, one a line
missing_packages() {
    local package
    for package in "$@"; do
        case "$FAMILY" in
            debian) dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || echo "$package" ;;
            redhat) rpm -q --quiet "$package" || echo "$package" ;;
        esac
    done
}

# what installs the packages, in words to type
install_command() {
    case "$FAMILY" in
        debian) echo "apt-get update && apt-get install --no-install-recommends -y $*" ;;
        redhat) echo "dnf install -y $*" ;;
    esac
}

install_packages() {
    local missing become=()
    mapfile -t missing < <(missing_packages "$@")
    [ ${#missing[@]} -gt 0 ] || return 0
    if [ "$(id -u)" -ne 0 ]; then
        if ! sudo -n true 2>/dev/null; then
            say "These packages are missing. As root, type:"
            say "    $(install_command "${missing[@]}")"
            die "then run this command again"
        fi
        become=(sudo)
    fi
    say "installing packages: ${missing[*]}"
    "${become[@]}" env DEBIAN_FRONTEND=noninteractive sh -c "$(install_command "${missing[@]}")"
}

check_python() {
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && return
    [ "$FAMILY" != redhat ] || say "As root, type: dnf install -y python3.12; then: make suite PYTHON=python3.12"
    die "Python 3.11 or newer is needed; '$PYTHON' is $("$PYTHON" --version 2>&1). Set PYTHON=/path/to/python3"
}

make_suite_environment() {
    if ! [ -x .venv/bin/uv ] || ! .venv/bin/uv --version | grep -qF "$UV_VERSION"; then
        say "making .venv"
        "$PYTHON" -m venv .venv
        .venv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$UV_VERSION"
    fi
    .venv/bin/uv pip install --quiet --python .venv/bin/python -r "requirements/$1.txt"
    # the command gpu-acceptance and the plugin, of this checkout
    .venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --editable .
}

main() {
    FAMILY=$(family)
    case "$WHAT-$FAMILY" in
        all-debian) install_packages "${SUITE_DEBIAN[@]}" "${LAB_DEBIAN[@]}" ;;
        suite-debian) install_packages "${SUITE_DEBIAN[@]}" ;;
        suite-redhat) install_packages "${SUITE_REDHAT[@]}" ;;
        suite-other) say "this system is not known: install Python 3.11, OpenSSH's client, pango and shellcheck yourself" ;;
        all-*) die "the lab needs Debian 12 or Ubuntu 24.04 or newer; the suite alone is installed by: make suite" ;;
        *) die "usage: setup.sh [suite]" ;;
    esac
    check_python
    if [ "$WHAT" = suite ]; then
        make_suite_environment suite
    else
        make_suite_environment dev
        .venv/bin/python -m lab install
    fi
}

# a test reads the functions and calls none of them
[ "${BASH_SOURCE[0]}" != "$0" ] || main
