#!/usr/bin/env bash
# Makes all files of a release from the commit that is checked out, into dist/:
#
#   scripts/release.sh [--arch amd64|arm64] [--out DIR]
#
#   sluice-VERSION-linux-ARCH.tar.gz         commands, manual pages, completions, units, documents
#   sluice_VERSION_ARCH.deb, sluice-*.rpm    packages
#   sluice-VERSION-image-ARCH.tar            container image, for docker load and podman load
#   sluice-VERSION-sbom-ARCH.cdx.json        what is linked, with licences (CycloneDX)
#   SHA256SUMS                               of all of them
#
# --arch  only this architecture; may be given twice (default: both)
# --out   a directory in place of dist/; what it has of a release is replaced
#
# VERSION is that of the tag of the commit, v0.1.0 for example. Without a tag it is one that Go makes
# of the last tag, time and hash, which sorts before the next release. The tree must have no changes.
# Two releases of a commit are the same, byte for byte; release-check.sh compares them.
# Needs git and Go, and fetches Go modules. Takes some minutes the first time.
set -euo pipefail

die() { # CODE ERROR HINT
    printf 'release.sh: error: %s\nrelease.sh: hint: %s\n' "$2" "$3" >&2
    exit "$1"
}
say() { printf 'release.sh: %s\n' "$*" >&2; }

archs=() out=
while [ $# -gt 0 ]; do
    case $1 in
    --arch | --out)
        [ $# -gt 1 ] || die 2 "$1: a value is missing" "see --help"
        case $1=$2 in
        --arch=amd64 | --arch=arm64) archs+=("$2") ;;
        --arch=*) die 2 "--arch: unknown architecture \"$2\"" "amd64 or arm64" ;;
        --out=*) out=$(realpath -m "$2") ;; # of the caller's directory
        esac
        shift
        ;;
    -h | --help)
        sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    *) die 2 "unknown argument \"$1\"" "--arch and --out; see --help" ;;
    esac
    shift
done
[ ${#archs[@]} -gt 0 ] || archs=(amd64 arm64)

cd "$(dirname "$0")/.."
out=${out:-$PWD/dist}
# shellcheck source=/dev/null
. scripts/go.sh
need_go release.sh
command -v git >/dev/null || die 1 "there is no git" "install it: the version of a release is that of its tag"
git rev-parse --verify --quiet HEAD >/dev/null || die 1 "this is not a clone of a repository with a commit, or it belongs to another user" "clone it with git"
changes=$(git status --porcelain)
[ -z "$changes" ] || die 1 "there are uncommitted changes: $(head -3 <<<"$changes" | tr '\n' ' ')" "commit them, or make the release in a new clone"
[ "$(git rev-parse --is-shallow-repository)" = false ] || die 1 "the clone is shallow, so its tags may be missing" "git fetch --unshallow --tags"

# Where modules come from is the user's affair, and so are caches: these settings stay, also those of
# go env -w. All others of go env -w are ignored.
for setting in GOPROXY GOSUMDB GONOPROXY GONOSUMDB GOPRIVATE GOINSECURE GOAUTH GOVCS GOMODCACHE GOCACHE; do
    export "$setting=$(go env $setting)"
done
export GOENV=off

# All else that the files of a release could depend on, other than the commit.
umask 022
export LC_ALL=C TZ=UTC0
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
# One version of Go makes a release, whatever is installed: Go fetches it.
GOTOOLCHAIN=$(awk '/^toolchain /{print $2}' packaging/go.mod)
export GOTOOLCHAIN CGO_ENABLED=0 GOOS=linux GOAMD64=v1 GOARM64=v8.0 GOEXPERIMENT='' GOFIPS140=off GOWORK=off
export GOFLAGS='-mod=readonly -trimpath -buildvcs=true'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The programs that make the files run on this machine, with its architecture.
say "building the programs that make packages, images and lists"
unset GOARCH
go -C packaging build -buildvcs=false -o "$work/tools/" ./gzip ./image ./notices ./sbom github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod

# build ARCH: without symbols and debug information, which are a third of the size. Version, commit
# and stack traces do not need them.
build() { GOARCH=$1 go build -ldflags='-s -w' -o "$work/$1/bin/" ./cmd/...; }

native=$(go env GOHOSTARCH) # prints the manual pages
for arch in $(printf '%s\n' "$native" "${archs[@]}" | sort -u); do
    say "building the commands for $arch"
    build "$arch"
done
version=$("$work/$native/bin/producer" --version | sed -n '1s/^producer v//p')
[ -n "$version" ] || die 1 "the commands do not know their version" "check that go build can read the repository: go build -buildvcs=true ./cmd/producer"
say "version $version"

say "collecting the licences of what is linked"
"$work/tools/notices" -root . -out "$work/THIRD-PARTY-NOTICES"

# tree ARCH DIR: what is below /usr/local after an installation, with documents beside.
tree() {
    local root=$work/$1/root
    BIN=$work/$1/bin NATIVE_BIN=$work/$native/bin PREFIX=/usr/local DESTDIR=$root scripts/systemd/install.sh >/dev/null
    mv "$root/usr/local" "$2"
    rm "$2/lib/sluice/made" # for uninstall.sh
    packaging/documents.sh "$2/share/doc/sluice"
    install -m 644 README.md CHANGELOG.md LICENSE SECURITY.md "$work/THIRD-PARTY-NOTICES" "$2/"
}

files=$work/files
mkdir "$files"
for arch in "${archs[@]}"; do
    name=sluice-$version-linux-$arch
    say "$name.tar.gz"
    tree "$arch" "$work/$name"
    tar -C "$work" --create --format=ustar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner "$name" |
        "$work/tools/gzip" >"$files/$name.tar.gz"

    say "deb and rpm for $arch"
    packaging/package.sh --version "$version" --arch "$arch" --bin "$work/$arch/bin" --native-bin "$work/$native/bin" \
        --notices "$work/THIRD-PARTY-NOTICES" --out "$files" >/dev/null

    say "sluice-$version-image-$arch.tar"
    "$work/tools/image" -bin "$work/$arch/bin" -doc LICENSE -doc "$work/THIRD-PARTY-NOTICES" -out "$files/sluice-$version-image-$arch.tar"

    say "sluice-$version-sbom-$arch.cdx.json"
    for command in producer consumer gauge bridge; do
        GOARCH=$arch "$work/tools/cyclonedx-gomod" app -json -noserial -notimestamp -licenses -std -main "cmd/$command" \
            -output "$work/$arch/$command.json" . 2>"$work/log" || die 1 "cyclonedx-gomod: $(<"$work/log")" "try it with -verbose"
    done
    "$work/tools/sbom" -out "$files/sluice-$version-sbom-$arch.cdx.json" "$work/$arch"/*.json
done
chmod 644 "$files"/*
(cd "$files" && sha256sum -- * >"$work/SHA256SUMS")

mkdir -p "$out"
rm -f "$out"/sluice[-_]*.{tar.gz,deb,rpm,tar,cdx.json} "$out/SHA256SUMS"
mv "$files"/* "$work/SHA256SUMS" "$out/"
say "written to $out:"
cat "$out/SHA256SUMS"
