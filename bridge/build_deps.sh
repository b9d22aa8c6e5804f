#!/bin/sh
# Builds the two libraries that Debian 12 has too old, libwebsockets 4.3.5 and hiredis 1.2.0,
# as static libraries from Debian 13's source packages. `./dev deps` calls it once.
#
# usage: bridge/build_deps.sh PREFIX        installs into PREFIX/include and PREFIX/lib
#
# Only sources are taken from the other release, from the archive this machine already uses; its
# own apt configuration and package state stay untouched. Needs root no more than a compiler does.
set -eu

lws_upstream=4.3.5
lws_version=4.3.5-1+deb13u2
lws_orig_sha256=87f99ad32803ed325fceac5327aae1f5c1b417d54ee61ad36cffc8df5f5ab276
lws_diff_sha256=059db96dc878057a629843e754fa56b2091186049c2bd36ba79db7fec62b8aea
hiredis_upstream=1.2.0
hiredis_version=1.2.0-6
hiredis_orig_sha256=82ad632d31ee05da13b537c124f819eb88e18851d9cb0c30ae0552084811588c
hiredis_diff_sha256=b0f46b0d467507ee3e1f165664484528e0f8ff33691cbdd19bf85fc96e604187
# Changing a recipe below means changing this number, so that existing trees build anew.
recipe=1

[ $# -eq 1 ] || { echo "usage: bridge/build_deps.sh PREFIX" >&2; exit 2; }
mkdir -p "$1"
prefix=$(cd "$1" && pwd)
stamp=$prefix/.built-$recipe-$lws_version-$hiredis_version
[ ! -e "$stamp" ] || exit 0

jobs=$(nproc)
work=$(mktemp -d "$prefix/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

fail()
{
    echo "build_deps: $*" >&2
    exit 1
}

# A private apt tree whose only source is Debian 13's sources in the machine's own archive.
prepare_apt()
{
    # shellcheck source=/dev/null
    . /etc/os-release
    # shellcheck disable=SC2016
    uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
        "Release: $VERSION_CODENAME" | head -n 1)
    [ -n "$uri" ] || fail "no apt source for $VERSION_CODENAME found; run apt-get update first"
    apt=$work/apt
    mkdir -p "$apt/etc/apt.conf.d" "$apt/etc/preferences.d" "$apt/etc/trusted.gpg.d" \
        "$apt/sources.list.d" "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/state"
    # A proxy and the like count for this tree too.
    for part in /etc/apt/apt.conf.d/*; do
        [ ! -f "$part" ] || cp "$part" "$apt/etc/apt.conf.d/"
    done
    printf 'Types: deb-src\nURIs: %s\nSuites: trixie\nComponents: main\nSigned-By: %s\n' "$uri" \
        /usr/share/keyrings/debian-archive-keyring.gpg >"$apt/sources.list.d/trixie.sources"
    cat >"$apt/apt.conf" <<CONF
Dir::Etc "$apt/etc"; Dir::Etc::sourcelist "/dev/null"; Dir::Etc::sourceparts "$apt/sources.list.d";
Dir::State "$apt/state"; Dir::State::lists "$apt/lists"; Dir::State::status "/var/lib/dpkg/status";
Dir::Cache "$apt/cache"; APT::Sandbox::User "$(id -un)";
CONF
    APT_CONFIG=$apt/apt.conf
    export APT_CONFIG
    apt-get -qq update || fail "cannot read Debian 13's package index from $uri"
}

# $1 package, $2 upstream version, $3 pinned version, $4 $5 sha256 of orig and of debian tarball.
# A point release removes the version it replaces from the archive. Then the newer Debian revision
# of the same upstream version is taken: its orig tarball must have the same hash still, and its
# patches are vouched for by the archive's signature.
fetch_source()
{
    pinned=$3
    version=$(apt-cache showsrc "$1" | sed -n 's/^Version: //p' | grep -Fx "$3" || true)
    if [ -z "$version" ]; then
        version=$(apt-cache showsrc "$1" | sed -n "s/^Version: \($2-.*\)/\1/p" | sort -V | tail -n 1)
        [ -n "$version" ] || fail "the archive has no $1 $2 any more"
        echo "build_deps: $1 $pinned was replaced by $version in the archive"
    fi
    # Two calls, because the .dsc that an unrestricted one wants is not on every mirror.
    apt-get -qq source --tar-only "$1=$version" >/dev/null
    apt-get -qq source --diff-only "$1=$version" >/dev/null
    check_sha256 "$4" "$1_$2.orig.tar.gz"
    if [ "$version" = "$pinned" ]; then
        check_sha256 "$5" "$1_$version.debian.tar.xz"
    fi
    mkdir "$1"
    tar -xf "$1_$2.orig.tar.gz" -C "$1" --strip-components=1
    tar -xf "$1_$version.debian.tar.xz" -C "$1"
    while read -r name; do
        case $name in '' | '#'*) continue ;; esac
        patch -s -p1 -d "$1" <"$1/debian/patches/$name"
    done <"$1/debian/patches/series"
}

check_sha256()
{
    echo "$1  $2" | sha256sum -c --quiet - || fail "$2 does not have the expected sha256 sum"
}

# Only what the bridge uses: HTTP/1 and WebSocket server, TLS, permessage-deflate, a foreign loop.
build_lws()
{
    cmake -G Ninja -S libwebsockets -B lws-build -DCMAKE_BUILD_TYPE=Release \
        -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib \
        -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DDISABLE_WERROR=ON \
        -DLWS_WITH_STATIC=ON -DLWS_WITH_SHARED=OFF \
        -DLWS_WITHOUT_TESTAPPS=ON -DLWS_WITHOUT_TEST_SERVER=ON -DLWS_WITHOUT_TEST_CLIENT=ON \
        -DLWS_WITHOUT_TEST_PING=ON -DLWS_WITHOUT_TEST_SERVER_EXTPOLL=ON \
        -DLWS_WITH_MINIMAL_EXAMPLES=OFF -DLWS_WITHOUT_CLIENT=ON \
        -DLWS_WITH_SSL=ON -DLWS_WITHOUT_EXTENSIONS=OFF -DLWS_WITH_ZLIB=ON \
        -DLWS_WITH_EVENT_LIBS=ON -DLWS_WITH_EVLIB_PLUGINS=OFF \
        -DLWS_WITH_EXTERNAL_POLL=OFF -DLWS_MAX_SMP=1 -DLWS_IPV6=ON -DLWS_UNIX_SOCK=ON \
        -DLWS_WITH_HTTP2=OFF -DLWS_WITH_UDP=OFF -DLWS_WITH_FILE_OPS=OFF -DLWS_ROLE_RAW_FILE=OFF \
        -DLWS_WITH_SYS_STATE=OFF -DLWS_WITH_HTTP_BASIC_AUTH=OFF -DLWS_WITH_DIR=OFF \
        -DLWS_WITH_LWSAC=OFF -DLWS_WITH_SYS_SMD=OFF -DLWS_WITH_NETLINK=OFF \
        -DLWS_WITH_CONMON=OFF -DLWS_WITH_CACHE_NSCOOKIEJAR=OFF -DLWS_WITH_LEJP=OFF \
        -DLWS_WITH_LEJP_CONF=OFF -DLWS_WITH_TLS_SESSIONS=OFF -DLWS_LOG_TAG_LIFECYCLE=OFF
    cmake --build lws-build -j "$jobs"
    cmake --install lws-build --prefix "$work/out"
}

build_hiredis()
{
    cmake -G Ninja -S hiredis -B hiredis-build -DCMAKE_BUILD_TYPE=Release \
        -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib \
        -DCMAKE_POSITION_INDEPENDENT_CODE=ON \
        -DBUILD_SHARED_LIBS=OFF -DENABLE_SSL=ON -DDISABLE_TESTS=ON
    cmake --build hiredis-build -j "$jobs"
    cmake --install hiredis-build --prefix "$work/out"
}

# $1 name: runs build_$1 with its output in a log that is shown when it fails.
build_quietly()
{
    echo "build_deps: building $1"
    if ! (set -e; "build_$1") >"$work/$1.log" 2>&1; then
        tail -n 40 "$work/$1.log" >&2
        fail "$1 did not build"
    fi
}

prepare_apt
cd "$work"
fetch_source libwebsockets $lws_upstream $lws_version $lws_orig_sha256 $lws_diff_sha256
fetch_source hiredis $hiredis_upstream $hiredis_version $hiredis_orig_sha256 $hiredis_diff_sha256
build_quietly lws
build_quietly hiredis
rm -rf "${prefix:?}/include" "${prefix:?}/lib" "$prefix"/.built-*
mv "$work/out/include" "$work/out/lib" "$prefix/"
: >"$stamp"
