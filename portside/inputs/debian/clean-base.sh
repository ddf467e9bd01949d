# mmdebstrap's customize hook: takes out of the new root ($1) what the host put there, what the host's version of
# mmdebstrap or apt decides, and what only tells of the installation.
set -eu
root=$1
rm -f "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d/* \
    "$root"/etc/fstab "$root"/etc/hostname "$root"/etc/hosts "$root"/etc/machine-id "$root"/etc/resolv.conf \
    "$root"/etc/.pwd.lock "$root"/etc/*- \
    "$root"/var/cache/debconf/*-old "$root"/var/cache/ldconfig/aux-cache \
    "$root"/var/lib/apt/extended_states "$root"/var/lib/dbus/machine-id \
    "$root"/var/lib/dpkg/arch "$root"/var/lib/dpkg/lock* "$root"/var/lib/dpkg/triggers/Lock "$root"/var/lib/dpkg/*-old
find "$root"/var/cache/apt "$root"/var/lib/apt/lists -mindepth 1 -delete
find "$root"/var/log -type f -delete
