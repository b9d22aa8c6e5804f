#!/bin/sh
# Makes the npm package: pack.sh BUILD OUT VERSION. BUILD holds notify.js and notify-inbox.js as they are
# served; the tarball lies in OUT then, and its name is printed.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
mkdir -p "$2"
out=$(cd "$2" && pwd)
folder=$out/npm
rm -rf "$folder"
mkdir "$folder"
cp "$build/notify.js" "$build/notify-inbox.js" "$here/../notify/notify.d.ts" "$here/../notify/notify-inbox.d.ts" \
    "$here/README.md" "$here/../../../LICENSE" "$folder/"
sed "s/@VERSION@/$3/" "$here/package.json.in" >"$folder/package.json"
cd "$folder"
npm pack --silent --ignore-scripts --pack-destination "$out"
rm -rf "$folder"
