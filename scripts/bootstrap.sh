#!/bin/sh
# Makes ready what a fresh Debian 12 or Ubuntu 24.04 machine lacks. Called by make; prints what it is about to do.
#
#   scripts/bootstrap.sh packages PURPOSE…   system packages for: venv server demo test torture
#   scripts/bootstrap.sh venv DIR            an empty virtual environment with the locked versions of requirements/dev.txt
#
# PYTHON=/path/to/python3 chooses the interpreter; otherwise the first of 3.11 or newer is taken.
set -eu
cd "$(dirname "$0")/.."

say() { printf 'kefud: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

python=
find_python() {
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            python=$candidate
            return
        fi
    done
    die "no Python 3.11 or newer found (looked for: ${PYTHON:-python3 python3.13 python3.12 python3.11}); install one, or set PYTHON=/path/to/python3"
}

# A package is missing when what we need of it is missing, wherever it came from.
missing=
need() {
    case " $missing " in *" $1 "*) ;; *) missing="${missing:+$missing }$1" ;; esac
}

has_cjk_font() {
    [ -n "$(find /usr/share/fonts /usr/local/share/fonts "${HOME:-/root}/.local/share/fonts" \
        \( -name 'NotoSansCJK*' -o -name 'NotoSerifCJK*' \) -print -quit 2>/dev/null)" ]
}

look_for() {
    case $1 in
    venv)
        find_python
        "$python" -c 'import ensurepip, venv' 2>/dev/null ||
            need "python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
        ;;
    server) # what an installed kefud needs
        look_for venv
        has_cjk_font || need fonts-noto-cjk
        ;;
    demo)
        has_cjk_font || need fonts-noto-cjk
        [ -x /usr/lib/dovecot/imap ] || [ -x /usr/libexec/dovecot/imap ] || need dovecot-imapd
        ;;
    test)
        look_for demo
        command -v openssl >/dev/null || need openssl
        command -v systemd-analyze >/dev/null || need systemd
        ;;
    torture)
        look_for test
        command -v strace >/dev/null || need strace
        ;;
    *) die "unknown purpose $1" ;;
    esac
}

sudo=
can_install() {
    command -v apt-get >/dev/null || return 1
    [ "$(id -u)" -eq 0 ] && return 0
    command -v sudo >/dev/null || return 1
    sudo=sudo
    if [ -t 0 ]; then sudo -v; else sudo -n true 2>/dev/null; fi
}

# Debian starts a service as soon as it is installed. Nothing of ours shall listen on this machine's port 143.
policy=/usr/sbin/policy-rc.d
ours=
forbid_services() {
    [ ! -e $policy ] || return 0
    ours=yes
    trap 'allow_services' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' | $sudo tee $policy >/dev/null
    $sudo chmod 755 $policy
}
allow_services() {
    [ -z "$ours" ] || $sudo rm -f $policy
    ours=
}

install_packages() {
    for purpose in "$@"; do look_for "$purpose"; done
    [ -n "$missing" ] || return 0
    if ! can_install; then
        say "these system packages are missing, and there are no rights here to install them: $missing"
        die "ask an administrator to run: apt-get install --no-install-recommends $missing"
    fi
    say "installing system packages${sudo:+ with sudo}: $missing"
    forbid_services
    $sudo apt-get -q -o Acquire::Retries=3 update >&2 || say "apt-get update reported an error; going on with the lists there are"
    $sudo env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -y -o Acquire::Retries=3 install --no-install-recommends $missing >&2 ||
        die "apt-get could not install $missing; see above"
    case $missing in
    *dovecot*) $sudo systemctl disable dovecot.service dovecot.socket >/dev/null 2>&1 || true ;;
    esac
    allow_services
    wanted=$missing missing=
    for purpose in "$@"; do look_for "$purpose"; done
    [ -z "$missing" ] || die "installed $wanted, yet $missing cannot be found"
}

make_venv() {
    find_python
    say "making the virtual environment $1 with $("$python" -V) and the versions locked in requirements/dev.txt"
    "$python" -m venv --clear "$1"
    "$1/bin/python" -m pip --disable-pip-version-check install -q --require-hashes --only-binary :all: -r requirements/dev.txt
}

case ${1:-} in
packages) shift; install_packages "$@" ;;
venv) make_venv "${2:?the directory of the environment}" ;;
*) sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 64 ;;
esac
