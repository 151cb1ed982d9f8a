#!/bin/sh
# Installs kefud on this machine as a systemd service, or upgrades it, or takes it away. Run as root through make.
#
#   scripts/install.sh install      user kefud, /opt/kefud, /etc/kefud, /usr/local/bin/kefud, the unit (not started)
#   scripts/install.sh uninstall    takes away all but /etc/kefud, /var/lib/kefud and the user
#
# /opt/kefud is a link to /opt/kefud-VERSION-TIME. An upgrade makes a new directory and then turns the link; the two before
# it stay, so that turning the link back is the way back.
set -eu
cd "$(dirname "$0")/.."
umask 022

say() { printf 'kefud: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

units=/usr/local/lib/systemd/system
docs=/usr/local/share/doc/kefud
booted() { [ -d /run/systemd/system ]; }
# What systemd says of its version, 0 where there is none.
systemd_version() { systemctl --version 2>/dev/null | sed -n '1s/^systemd \([0-9]*\).*/\1/p' | grep . || echo 0; }

# The service may not look into /root or /home, so an interpreter there is of no use to it.
system_python() {
    for candidate in ${PYTHON:-/usr/bin/python3 /usr/local/bin/python3 /usr/bin/python3.13 /usr/bin/python3.12 /usr/bin/python3.11}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            case $(readlink -f "$(command -v "$candidate")") in
            /usr/* | /opt/*) printf '%s\n' "$candidate"; return ;;
            esac
        fi
    done
    die "no Python 3.11 or newer found below /usr or /opt; install one, or set PYTHON=/usr/…/python3"
}

environment() { # DIR LOCK
    "$PYTHON" -m venv "$1"
    "$1/bin/python" -m pip --disable-pip-version-check install -q --require-hashes --only-binary :all: -r "requirements/$2.txt"
}

work= new=
drop_what_is_half_made() { rm -rf "$work" ${new:+"$new"}; }

install_program() {
    work=$(mktemp -d)
    trap drop_what_is_half_made EXIT
    trap 'exit 1' HUP INT TERM
    say "building the wheel"
    environment "$work/build" build
    "$work/build/bin/python" -m pip --disable-pip-version-check wheel -q --no-deps --no-build-isolation --no-index -w "$work" .
    wheel=$(echo "$work"/kefud-*.whl)
    version=$(basename "$wheel" | cut -d- -f2)
    new=/opt/kefud-$version-$(date -u +%Y%m%dT%H%M%SZ)
    say "installing kefud $version with the versions locked in requirements/all.txt into $new"
    environment "$new" all
    "$new/bin/python" -m pip --disable-pip-version-check install -q --no-deps --no-index "$wheel"
    "$new/bin/kefud" --help >/dev/null || die "the new installation does not run; nothing was changed"
    ln -sfn "$new" /opt/.kefud
    mv -T /opt/.kefud /opt/kefud
    new=
    # Newest first; a daemon that was not restarted yet may still run from the second or third.
    ls -1td /opt/kefud-* | tail -n +4 | xargs -r rm -rf
    ln -sfn /opt/kefud/bin/kefud /usr/local/bin/kefud
}

# Files of the configuration belong to root; the service may read them and no more. It writes to /var/lib/kefud (the store)
# and below /srv/kefud (folders that telephone system, scanner and printer share with it).
install_configuration() {
    getent passwd kefud >/dev/null ||
        useradd --system --user-group --home-dir /var/lib/kefud --no-create-home --shell /usr/sbin/nologin kefud
    install -d -o kefud -g kefud -m 700 /var/lib/kefud
    install -d -o root -g kefud -m 750 /etc/kefud /etc/kefud/credentials
    if [ ! -e /etc/kefud/kefud.toml ]; then
        /opt/kefud/bin/kefud init "$work/site" >/dev/null
        sed -i -e 's|"\.\./var"|"/var/lib/kefud"|' -e 's|"\.\./|"/srv/kefud/|' "$work/site/config/kefud.toml"
        (cd "$work/site/config" && tar -cf - .) | tar -xf - --no-same-owner --skip-old-files -C /etc/kefud
        mkdir -p "$work/site/print"
        (cd "$work/site" && find drop print -type d) | while read -r folder; do
            install -d -o kefud -g kefud -m 2770 /srv/kefud "/srv/kefud/$folder"
        done
    fi
    chown root:kefud /etc/kefud /etc/kefud/credentials
    chmod 750 /etc/kefud /etc/kefud/credentials
    find /etc/kefud -path /etc/kefud/credentials -prune -o -exec chown -h root:kefud {} + -exec chmod u=rwX,g=rX,o= {} +
}

install_unit() {
    install -d "$units/kefud.service.d" "$docs"
    install -m 644 systemd/kefud.service "$units/"
    if [ "$(systemd_version)" -ge 254 ]; then
        install -m 644 systemd/restart-steps.conf "$units/kefud.service.d/"
    fi
    install -m 644 README.md README.zh-CN.md CHANGELOG.md LICENSE docs/*.md "$docs/"
    ! booted || systemctl daemon-reload
}

do_install() {
    scripts/bootstrap.sh packages server
    PYTHON=$(system_python)
    upgrade=
    [ ! -e /opt/kefud ] || upgrade=yes
    [ -L /opt/kefud ] || [ -z "$upgrade" ] || die "/opt/kefud is there and not of our making (no link); move it away first"
    install_program
    install_configuration
    install_unit
    if [ -n "$upgrade" ]; then
        say "done; the daemon runs on as it was. Now: systemctl stop kefud; sudo -u kefud kefud db upgrade; systemctl start kefud"
    else
        say "done; now edit /etc/kefud/kefud.toml, then run: sudo -u kefud kefud check && systemctl enable --now kefud"
    fi
}

do_uninstall() {
    ! booted || systemctl disable --now kefud.service 2>/dev/null || true
    rm -rf "$units/kefud.service" "$units/kefud.service.d" "$docs" /usr/local/bin/kefud /opt/kefud /opt/kefud-*
    ! booted || systemctl daemon-reload
    say "taken away; what it knew is kept in /etc/kefud and /var/lib/kefud, and the user kefud stays its owner"
}

case ${1:-} in install | uninstall) ;; *) sed -n '4,5s/^# *//p' "$0" >&2; exit 64 ;; esac
[ "$(id -u)" -eq 0 ] || die "this needs root: sudo make $1"
"do_$1"
