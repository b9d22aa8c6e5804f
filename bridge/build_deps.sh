#!/bin/sh
# Builds libwebsockets and hiredis as static libraries, for where the system's are too old (Debian 12),
# from Debian 13's source packages (see fetch_deps.sh). `./dev deps` calls it; it does nothing when that
# was done already.
#
# usage: bridge/build_deps.sh PREFIX        installs into PREFIX/include and PREFIX/lib
#
# Needs root no more than a compiler does.
set -eu

# Changing a recipe below means changing this number, so that existing trees build anew.
recipe=2

[ $# -eq 1 ] || { echo "usage: bridge/build_deps.sh PREFIX" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
prefix=$(cd "$1" && pwd)
wanted=$(awk '$1 == "diff" && !seen[$2]++ { printf "-%s", $3 }' "$here/deps.list")
stamp=$prefix/.built-$recipe$wanted
[ ! -e "$stamp" ] || exit 0

jobs=$(nproc)
case $prefix in
*[!A-Za-z0-9_./+@\ -]*) work=$(mktemp -d) ;; # libwebsockets' own rules take no names such as "redis-notify (1)"
*) work=$(mktemp -d "$prefix/work.XXXXXX") ;;
esac
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# Only what the bridge uses: HTTP/1 and WebSocket server, TLS, permessage-deflate, a foreign loop.
build_libwebsockets()
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
    echo "build_deps: building $1, which takes a while" >&2
    if ! (set -e; "build_$1") >"$work/$1.log" 2>&1; then
        tail -n 40 "$work/$1.log" >&2
        echo "build_deps: $1 did not build" >&2
        exit 1
    fi
}

"$here/fetch_deps.sh" "$work"
cd "$work"
build_quietly libwebsockets
build_quietly hiredis
rm -rf "${prefix:?}/include" "${prefix:?}/lib" "$prefix"/.built-*
mv "$work/out/include" "$work/out/lib" "$prefix/"
# Whose these are and under what licence, for packages of programs that have them in.
for name in libwebsockets hiredis; do
    mkdir -p "$prefix/share/doc/$name"
    cp "$name/debian/copyright" "$prefix/share/doc/$name/copyright"
done
: >"$stamp"
