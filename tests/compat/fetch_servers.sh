#!/bin/sh
# Fetches every server that Debian has as a package, so that tests/compat/run can load notify.so into
# each of them. Nothing is installed: the packages are unpacked, with the libraries that they need, and
# the machine's own apt configuration and package state stay untouched. apt checks every package
# against the archive's signed index.
#
# usage: tests/compat/fetch_servers.sh FOLDER     makes FOLDER/<name>-<version>/<name>-server
#
# FOLDER/defrag/redis-server is the exception: built from a source package, with the jemalloc that
# comes with it, because Debian's servers use the system's, which cannot defragment actively.
#
# What is there already is not fetched again; what cannot be had is told and left out.
set -eu

# name, suites that its packages come from (the first is the one for the server), package. The server
# is the same program as the *-check-rdb of the tools' package: it decides by the name it is called.
servers="
redis bookworm redis-tools
valkey bookworm-backports,bookworm valkey-tools
redict bookworm-backports,bookworm redict-tools
redis trixie redis-tools
valkey trixie valkey-tools
redis sid redis-tools
valkey sid valkey-tools
"

[ $# -eq 1 ] || { echo "usage: tests/compat/fetch_servers.sh FOLDER" >&2; exit 2; }
mkdir -p "$1"
folder=$(cd "$1" && pwd)
[ ! -e "$folder/.complete" ] || exit 0
work=$(mktemp -d "$folder/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

say()
{
    echo "fetch_servers: $*" >&2
}

# $1 suites, comma-separated, $2 deb or deb-src: makes a private apt tree whose only sources they are and
# which knows of no installed package, and points APT_CONFIG at it.
use_suites()
{
    apt=$work/$2-$1
    APT_CONFIG=$apt/apt.conf
    export APT_CONFIG
    [ ! -e "$apt" ] || return 0
    mkdir -p "$apt/etc/apt.conf.d" "$apt/etc/preferences.d" "$apt/etc/trusted.gpg.d" \
        "$apt/sources.list.d" "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/state"
    # A proxy and the like count for this tree too.
    for part in /etc/apt/apt.conf.d/*; do
        [ ! -f "$part" ] || cp "$part" "$apt/etc/apt.conf.d/"
    done
    : >"$apt/status"
    printf 'Types: %s\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' "$2" "$uri" \
        "$(echo "$1" | tr , ' ')" /usr/share/keyrings/debian-archive-keyring.gpg \
        >"$apt/sources.list.d/servers.sources"
    cat >"$APT_CONFIG" <<CONF
Dir::Etc "$apt/etc"; Dir::Etc::sourcelist "/dev/null"; Dir::Etc::sourceparts "$apt/sources.list.d";
Dir::State "$apt/state"; Dir::State::lists "$apt/lists"; Dir::State::status "$apt/status";
Dir::Cache "$apt/cache"; APT::Sandbox::User "$(id -un)"; APT::Update::Error-Mode "any";
CONF
    apt-get -qq update
}

# $1 package: it and the libraries below it. What else it would be installed with, it does not need
# for running.
packages_of()
{
    apt-get -s install --no-install-recommends "$1" |
        awk -v package="$1" '/^Inst / && ($2 == package || $2 ~ /^(lib|zlib)/) { print $2 }'
}

# A program must not run with an older C library than it was made for, and notify.so was made for the
# machine's: whichever is newer is used, with its own loader.
needs_own_libc()
{
    theirs=$(apt-cache policy libc6 | awk '/Candidate:/ { print $2 }')
    dpkg --compare-versions "$theirs" gt "$(dpkg-query -W -f '${Version}' libc6)"
}

# $1 name, $2 tree, both as fetch_server has them: the words that start the program with the libraries
# of its tree.
loader_of()
{
    libs=$(find "$2/usr/lib" "$2/lib" -maxdepth 1 -name '*-linux-gnu*' -printf '%p:' 2>/dev/null || :)
    loader=$(find "$2/usr/lib" "$2/lib" -name 'ld-linux*.so.*' 2>/dev/null | head -n 1 || :)
    if [ -n "$loader" ]; then
        echo "exec '$loader' --library-path '${libs%:}' '$2/$1-server' \"\$@\""
    else
        echo "LD_LIBRARY_PATH='${libs%:}' exec '$2/$1-server' \"\$@\""
    fi
}

# $1 name, $2 suites, $3 package
fetch_server()
{
    use_suites "$2" deb || return 1
    version=$(apt-cache policy "$3" | awk '/Candidate:/ { print $2 }')
    case $version in '' | '(none)') return 1 ;; esac
    version=$(echo "$version" | sed 's/^[0-9]*://; s/[-+~].*//')
    place=$folder/$1-$version
    [ ! -x "$place/$1-server" ] || return 0
    mkdir -p "$work/debs" "$place.new/tree"
    packages=$(packages_of "$3")
    needs_own_libc || packages=$(echo "$packages" | grep -vx 'libc6')
    # shellcheck disable=SC2086 # these are words
    (cd "$work/debs" && apt-get -qq download $packages) || return 1
    for deb in "$work/debs"/*.deb; do
        dpkg-deb -x "$deb" "$place.new/tree"
    done
    rm -rf "$work/debs" "$place.new/tree/usr/share"
    cp "$(find "$place.new/tree/usr/bin" -name "$1-check-rdb")" "$place.new/tree/$1-server"
    rm -rf "$place"
    mv "$place.new" "$place"
    printf '#!/bin/sh\n%s\n' "$(loader_of "$1" "$place/tree")" >"$place/$1-server"
    chmod +x "$place/$1-server"
    "$place/$1-server" --version >/dev/null
}

build_defrag_server()
{
    [ ! -x "$folder/defrag/redis-server" ] || return 0
    use_suites bookworm deb-src || return 1
    mkdir -p "$work/source/redis" "$folder/defrag"
    cd "$work/source"
    apt-get -qq source --tar-only redis && tar -xf redis_*.orig.tar.gz -C redis --strip-components=1 &&
        make -j "$(nproc)" -C redis/src redis-server MALLOC=jemalloc OPTIMIZATION=-O1 BUILD_TLS=no \
            USE_SYSTEMD=no && cp redis/src/redis-server "$folder/defrag/redis-server"
}

# The archive that says that it is Debian's, whatever its release is called in apt's sources; else the first.
# shellcheck disable=SC2016
uri=$({
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian'
    apt-get indextargets --no-release-info --format '$(REPO_URI)' 'Created-By: Packages'
} | head -n 1)
[ -n "$uri" ] || { say "no apt source found; run apt-get update first"; exit 1; }
missing=
while read -r name suites package; do
    [ -n "$name" ] || continue
    if ! fetch_server "$name" "$suites" "$package" >>"$work/log" 2>&1 </dev/null; then
        missing=yes
        say "could not get $package of ${suites%%,*}: $(tail -n 1 "$work/log")"
        rm -rf "$folder"/*.new "$work/debs"
    fi
done <<LIST
$servers
LIST
if ! (build_defrag_server) >>"$work/log" 2>&1 </dev/null; then
    missing=yes
    say "could not build a server that defragments: $(tail -n 1 "$work/log")"
fi
[ -n "$missing" ] || : >"$folder/.complete"
