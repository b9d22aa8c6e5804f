#!/bin/sh
# Fetches the sources of the libraries in deps.list, from the archives that this machine's apt uses
# already, and unpacks and patches them. bridge/build_deps.sh calls it.
#
# usage: bridge/fetch_deps.sh FOLDER        makes FOLDER/<package> for each package
#
# NOTIFY_POOL=URL or folder: looked at first; an archive (with pool/ in it), or simply the files.
#
# In this order, until a package is complete: the wanted files, straight from the pool by name; what
# the archives' signed index of Debian 13 names now; the further revisions of deps.list. Nothing is
# unpacked whose hash is not in deps.list or in an index that Debian has signed. apt's configuration
# counts (proxies, passwords), its state stays untouched, and nothing needs root.
set -eu

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
suite=trixie # whose source packages they are
helper=/usr/lib/apt/apt-helper

[ $# -eq 1 ] || { echo "usage: bridge/fetch_deps.sh FOLDER" >&2; exit 2; }
list=$(cd "$(dirname "$0")" && pwd)/deps.list
mkdir -p "$1"
folder=$(cd "$1" && pwd)
work=$(mktemp -d "$folder/fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# Lists are lines here: folders may have blanks in their names.
IFS='
'

say()
{
    echo "fetch_deps: $1" >&2
}

fail()
{
    say "$1"
    exit 1
}

# ---- places: archives and folders that may have the files

# Their addresses, one a line, without a slash at the end. All that apt has, whatever the release that
# they are used for: it may be named "oldstable" or by codename, and of several archives one has the
# file. Those that say that they are Debian's come first.
find_places()
{
    echo "${pool:-}"
    command -v apt-get >/dev/null || return 0
    # shellcheck disable=SC2016
    {
        apt-get indextargets --format '$(REPO_URI)' 'Origin: Debian' 'Created-By: Packages'
        apt-get indextargets --no-release-info --format '$(REPO_URI)' 'Created-By: Packages'
    } 2>/dev/null | sed 's|/*$||' | while read -r place; do
        case $place in
        mirror+file:*) grep -o '^[a-z+]*:/[^[:space:]]*' "${place#mirror+file:}" 2>/dev/null || : ;;
        *) echo "$place" ;;
        esac
    done
}

# Sets places, and pool, which is the one of NOTIFY_POOL.
prepare_places()
{
    case ${NOTIFY_POOL:-} in
    '' | *:/*) pool=${NOTIFY_POOL:-} ;;
    *) pool=file:$(cd "$NOTIFY_POOL" && pwd) || fail "NOTIFY_POOL names no folder" ;;
    esac
    places=$(find_places | sed 's|/*$||' | awk '
        !/:\// || /^cdrom:/ || seen[$0]++ { next }
        /\/debian$/ { beside[n++] = $0 "-security" } # where mirrors have it; not all sources name it
        { print }
        END { for (i = 0; i < n; i++) if (!seen[beside[i]]) print beside[i] }')
    pool=${pool%/}
}

# $1 package: where it lies in a pool.
pool_folder()
{
    case $1 in
    lib*) echo "${1%"${1#????}"}/$1" ;;
    *) echo "${1%"${1#?}"}/$1" ;;
    esac
}

# ---- files

has_sha256()
{
    echo "$1  $2" | sha256sum -c --status - 2>/dev/null
}

# $1 place, $2 path, $3 sha256: brings the file to $work; fails if it is not the right one. A place that
# does not answer is not asked again.
fetch_from()
{
    case $1 in
    file:*) cp "${1#file:}/$2" "$work/new" 2>/dev/null || return 1 ;;
    *)
        ! grep -qsFx "$1" "$work/silent" || return 1
        LC_ALL=C "$helper" -o APT::Sandbox::User=root download-file "$1/$2" "$work/new" "SHA256:$3" \
            >"$work/answer" 2>&1 || { judge_answer "$1" "$2"; return 1; }
        ;;
    esac
    if has_sha256 "$3" "$work/new"; then
        mv "$work/new" "$work/${2##*/}"
    else
        note_wrong "$1/$2"
        return 1
    fi
}

# $1 place, $2 path: notes why apt did not get it, unless it is just not there.
judge_answer()
{
    rm -f "$work/new"
    why=$(sed -n 's/^E: \(Failed to fetch [^ ]* *\)\{0,1\}//p' "$work/answer" | head -n 1)
    case $why in
    '403 '* | '404 '* | '410 '*) ;;
    'Hash Sum mismatch'* | *'unexpected size'*) note_wrong "$1/$2" ;;
    *)
        echo "$1" >>"$work/silent"
        echo "$1 could not be reached ($why)" >>"$work/reasons"
        ;;
    esac
}

note_wrong()
{
    rm -f "$work/new"
    echo "what lies at $1 has another sha256 than it must have" >>"$work/reasons"
}

# $1 sha256, $2 name of the file, $3… folders that it may lie in: looks at every place, unless it is there.
fetch_file()
{
    sha256=$1 file=$2
    shift 2
    [ ! -e "$work/$file" ] || return 0
    for place in $places; do
        for in_place; do
            ! fetch_from "$place" "$in_place/$file" "$sha256" || return 0
        done
        [ "$place" != "$pool" ] || ! fetch_from "$place" "$file" "$sha256" || return 0
    done
    return 1
}

has_diff()
{
    [ -n "$(find "$work" -maxdepth 1 -name "$1_*.debian.tar.xz")" ]
}

# $1 package: whether all that it is made of was fetched.
is_complete()
{
    has_diff "$1" && [ -n "$(find "$work" -maxdepth 1 -name "$1_*.orig.tar.gz")" ]
}

# ---- the ways to a package, in their order; each takes its name and succeeds once it is complete

# The lines of deps.list.
listed()
{
    grep "^[a-z]* $1 " "$list"
}

# $1 kind, $2 package, $3 version, $4 sha256, as in deps.list: by the name that it has in every pool.
fetch_line()
{
    case $1 in
    orig) name=$2_$3.orig.tar.gz ;;
    diff)
        name=$2_$3.debian.tar.xz
        ! has_diff "$2" || return 0
        ;;
    esac
    fetch_file "$4" "$name" "pool/main/$(pool_folder "$2")" "pool/updates/main/$(pool_folder "$2")"
}

fetch_wanted()
{
    listed "$1" | awk '!seen[$1]++' | while IFS=' ' read -r kind package version sum; do
        fetch_line "$kind" "$package" "$version" "$sum" || :
    done
    is_complete "$1"
}

fetch_further()
{
    listed "$1" | while IFS=' ' read -r kind package version sum; do
        fetch_line "$kind" "$package" "$version" "$sum" || :
    done
    is_complete "$1"
}

# What the index names: the newest Debian revision of the same upstream version, whose orig must be the
# one of deps.list still.
fetch_indexed()
{
    read_index
    listed "$1" | while IFS=' ' read -r kind package version sum; do
        [ "$kind" = orig ] || continue
        name=${package}_$version.orig.tar.gz
        in_pool=$(awk -v name="$name" -v sum="$sum" '$2 == name && $3 == sum { print $1; exit }' "$work/index")
        [ -z "$in_pool" ] || fetch_file "$sum" "$name" "$in_pool" || :
        grep -F " ${package}_$version-" "$work/index" | grep -F '.debian.tar.xz ' | sort -u | sort -k 2 -V -r |
            while IFS=' ' read -r in_pool name sum; do
                has_diff "$package" || fetch_file "$sum" "$name" "$in_pool" || :
            done
    done
    is_complete "$1"
}

# Makes $work/index, once, with the files of all packages in lines of folder, name, sha256. An apt tree of
# its own reads the sources of the suite, from the first place that has them.
read_index()
{
    [ ! -e "$work/index" ] || return 0
    : >"$work/index"
    command -v apt-get >/dev/null || return 0
    for place in $places; do
        [ ! -s "$work/index" ] || break
        ! grep -qsFx "$place" "$work/silent" || continue
        say "reading the index of $suite at $place"
        index_of "$place" >>"$work/index" 2>"$work/answer" || :
    done
}

# $1 place. Later settings count: those of an APT_CONFIG that is there already come first.
index_of()
{
    tree=$work/apt
    rm -rf "$tree"
    mkdir -p "$tree/sources" "$tree/lists/partial" "$tree/cache/archives/partial"
    printf 'Types: deb-src\nURIs: %s\nSuites: %s\nComponents: main\nTargets: Sources\nSigned-By: %s\n' \
        "$1" "$suite" "$keyring" >"$tree/sources/index.sources"
    {
        [ -z "${APT_CONFIG:-}" ] || cat "$APT_CONFIG"
        cat <<CONF
Dir::Etc::sourcelist "/dev/null"; Dir::Etc::sourceparts "$tree/sources";
Dir::State::lists "$tree/lists"; Dir::Cache "$tree/cache"; APT::Sandbox::User "root";
Acquire::AllowInsecureRepositories "false"; Acquire::AllowWeakRepositories "false";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
CONF
    } >"$tree/apt.conf"
    APT_CONFIG=$tree/apt.conf apt-get -qq update
    for source in $packages; do
        APT_CONFIG=$tree/apt.conf apt-cache showsrc "$source" | awk '
            /^Directory: / { folder = $2 }
            NF == 3 && length($1) == 64 { sum[$3] = $1 }
            /^$/ { for (name in sum) print folder, name, sum[name]; split("", sum) }'
    done
}

# Ends with the one sentence that says what to do about package $1.
give_up()
{
    head -c 65536 /dev/zero >"$work/room" 2>/dev/null ||
        fail "nothing can be written to $folder: make room on that disk, and run it again"
    file=$(listed "$1" | awk '!seen[$1]++ { print $2 "_" $3 ($1 == "orig" ? ".orig.tar.gz" : ".debian.tar.xz") }' |
        while read -r name; do [ -e "$work/$name" ] || echo "$name"; done | head -n 1)
    help="set NOTIFY_POOL to a folder or to the URL of an archive that has it, and run it again"
    if [ -s "$work/reasons" ]; then
        reasons=$(sort -u "$work/reasons" | awk '{ printf "%s%s", sep, $0; sep = "; " }')
        fail "$file could not be fetched: $reasons; try again once that is mended, or $help"
    elif [ -z "$places" ]; then
        fail "there is no apt source to fetch $file from: $help"
    else
        fail "$file is not at $(echo "$places" | awk '{ printf "%s%s", sep, $0; sep = ", " }') any more: $help"
    fi
}

# ---- unpacking

unpack()
{
    rm -rf "${folder:?}/$1"
    mkdir "$folder/$1"
    tar -xf "$work/$1"_*.orig.tar.gz -C "$folder/$1" --strip-components=1
    tar -xf "$work/$1"_*.debian.tar.xz -C "$folder/$1"
    while read -r name; do
        case $name in '' | '#'*) continue ;; esac
        patch -s -p1 -d "$folder/$1" <"$folder/$1/debian/patches/$name" ||
            fail "the patch $name of Debian does not apply to $1: report it, please"
    done <"$folder/$1/debian/patches/series"
}

prepare_places
packages=$(awk '$1 == "orig" { print $2 }' "$list")
for package in $packages; do
    say "fetching $package"
    fetch_wanted "$package" || fetch_indexed "$package" || fetch_further "$package" || give_up "$package"
done
for package in $packages; do
    unpack "$package"
done
