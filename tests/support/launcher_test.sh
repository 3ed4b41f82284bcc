#!/usr/bin/env bash
# The launcher: exit status and signals pass through, a built tree is not written to, missing
# packages are named, in-source builds are refused. Needs a tree that tools/weft has built.
set -uo pipefail
root=$(cd -- "$(dirname -- "$0")/../.." && pwd -P)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

expect() {  # WHAT EXPECTED FOUND
  if [ "$2" = "$3" ]; then
    echo "ok: $1"
  else
    echo "FAILED: $1: expected '$2', found '$3'"
    failed=1
  fi
}

# Run from a folder that is not the source's, through a link.
ln -s "$root/tools/weft" "$work/weft"
cd "$work" || exit 1
expect "prints" "3" "$(./weft -e 'USING: math prettyprint ; 1 2 + .')"
./weft -e 'USE: system 7 exit' ; expect "exit status passes" 7 $?
./weft -e 'USE: kernel "x" throw' 2>/dev/null ; expect "an uncaught error" 1 $?
./weft --no-such-flag 2>/dev/null ; expect "wrong use" 2 $?
timeout --signal=TERM 1 ./weft -e 'USING: kernel ; [ t ] [ ] while' ; expect "a signal reaches it" 124 $?

before=$(find "$root/build" -newer "$root/build/.built" | sort | sha256sum)
./weft -e '' ; expect "empty text" 0 $?
expect "nothing is written" "$before" "$(find "$root/build" -newer "$root/build/.built" | sort | sha256sum)"

# A tree mounted read-only, where the test may mount.
if [ "$(id -u)" -eq 0 ] && unshare -m true 2>/dev/null; then
  found=$(unshare -m sh -c "mount --bind '$root' '$root' && mount -o remount,bind,ro '$root' &&
    '$root/tools/weft' -e 'USING: math prettyprint ; 1 2 + .'" 2>&1)
  expect "a read-only tree" "3" "$found"
fi

# A machine without the packages whose user is not root and has no sudo.
mkdir bin
printf '#!/bin/sh\nexit 1\n' > bin/dpkg-query
printf '#!/bin/sh\necho 1000\n' > bin/id
printf '#!/bin/sh\nexit 1\n' > bin/sudo
chmod +x bin/*
message=$(PATH=$work/bin:$PATH "$root/tools/setup" build 2>&1 </dev/null) ; expect "setup refused" 1 $?
expect "and says what to do" "yes" "$(case $message in *"apt-get install g++ "*) echo yes ;; *) echo "$message" ;; esac)"

mkdir tree && cp "$root/CMakeLists.txt" tree
(cd tree && cmake . >cmake.log 2>&1) ; expect "in-source builds are refused" 1 $?
expect "and say so" "yes" "$(grep -q 'built outside its source' tree/cmake.log && echo yes)"

exit $failed
