#!/usr/bin/env bash
# The README's two set-up commands on a bare Debian 12: a debootstrapped folder with nothing in it.
#
#   bare_machine.sh [FOLDER]     FOLDER is kept for a look; default: a temporary one
#
# Needs root, debootstrap and a mirror ($WEFT_MIRROR, or the one this machine uses).
set -euo pipefail
root=$(cd -- "$(dirname -- "$0")/../.." && pwd -P)
folder=${1:-}
if [ "$(id -u)" -ne 0 ] || ! command -v debootstrap >/dev/null; then
  echo "bare_machine: needs root and the package debootstrap" >&2
  exit 1
fi

# Mounts in a namespace of their own: they end with the script and reach nobody else.
if [ -z "${WEFT_OWN_MOUNTS:-}" ]; then
  WEFT_OWN_MOUNTS=yes exec unshare -m "$0" "$@"
fi
if [ -z "$folder" ]; then
  temporary=$(mktemp -d)
  folder=$temporary/debian
fi
cleanup() {
  umount -R "$folder/proc" "$folder/dev" 2>/dev/null || true
  if [ -n "${temporary:-}" ]; then rm -rf --one-file-system "$temporary"; fi
}
trap cleanup EXIT

mirror=${WEFT_MIRROR:-$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p; s/^deb \(\[[^]]*\] \)\?\([^ ]*\) bookworm .*/\2/p' \
  /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -n 1 || true)}
mirror=${mirror:-http://deb.debian.org/debian}
debootstrap --variant=minbase bookworm "$folder" "$mirror"
# The machine's own way to the network.
cp /etc/resolv.conf "$folder/etc/resolv.conf" 2>/dev/null || true
grep -lisE 'proxy|verify' /etc/apt/apt.conf.d/* | xargs -r cp -t "$folder/etc/apt/apt.conf.d/" || true
# What the installer of a machine writes, and debootstrap does not.
printf '127.0.0.1\tlocalhost\n::1\tlocalhost\n' > "$folder/etc/hosts"
git clone -q --no-hardlinks "$root" "$folder/weft"
mount -t proc proc "$folder/proc"
mount --bind /dev "$folder/dev"

inside() { chroot "$folder" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  http_proxy="${http_proxy:-}" https_proxy="${https_proxy:-}" LANG=C sh -c "cd /weft && $1"; }
inside "tools/weft samples/tour.weft" | tail -n 3
inside "tools/test"
