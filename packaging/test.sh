#!/usr/bin/env bash
# Tests the packages: how they are made, and that each can be installed, used, upgraded, removed and purged.
#
#   packaging/test.sh [PART...]
#   packaging/test.sh --deb FILE
#
#   made     two builds give the same bytes, both formats have the same files, lintian has no complaint
#   booted   on a separate systemd (scripts/systemd/test/boot.sh): the deb, then the rpm, with running pairs
#   bare     in a root made with mmdebstrap, without a running systemd: the deb, then the rpm. Needs the network
#
# Without a PART, all of them. With --deb, what is quick: lintian, and on a separate systemd that package alone, with an
# upgrade to its like; nothing is built.
#
# Needs root, Go, lintian, rpm, systemd with dbus, and for bare mmdebstrap; cleans up.
set -euo pipefail
die() { printf 'test.sh: error: %s\ntest.sh: hint: %s\n' "$1" "$2" >&2; exit "${3:-1}"; }
parts=() deb=''
while [ $# -gt 0 ]; do
    case $1 in
    made | booted | bare) parts+=("$1") ;;
    --deb)
        deb=$(realpath "${2:?--deb: a file is missing}")
        shift
        ;;
    -h | --help)
        sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    *) die "unknown part \"$1\"" "made, booted or bare; see --help" 2 ;;
    esac
    shift
done
[ -z "$deb" ] || [ ${#parts[@]} = 0 ] || die "--deb: it has no parts" "see --help" 2
[ ${#parts[@]} -gt 0 ] || parts=(made booted bare)
[ -z "$deb" ] || parts=(booted)
wants() { [[ " ${parts[*]} " == *" $1 "* ]]; }
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || die "only root can install packages" "sudo $0"
for tool in lintian rpm; do
    [ $tool != rpm ] || [ -z "$deb" ] || continue
    command -v $tool >/dev/null || die "there is no $tool here" "sudo apt-get install $tool"
done
if wants bare && ! command -v mmdebstrap >/dev/null; then die "there is no mmdebstrap here" "sudo apt-get install mmdebstrap, or leave out the part bare"; fi
lab=$(mktemp -d)
chmod 755 "$lab"
trap 'rm -rf "$lab"' EXIT
step() { printf -- '-- %s\n' "$*"; }

# lint LEVELS DEB: lintian has no complaint of these levels.
lint() {
    local out
    out=$(lintian --allow-root --fail-on "$1" "$2" 2>&1) || die "lintian: $out" "fix it, or add it to packaging/lintian-overrides with the reason"
}

# boot runs test/booted.sh with the packages.
boot() {
    mkdir -p "$lab/repo/packaging"
    cp -r packaging/test "$lab/repo/packaging/"
    mkdir "$lab/repo/scripts"
    cp -r scripts/systemd "$lab/repo/scripts/"
    local code=0
    scripts/systemd/test/boot.sh "$lab" repo/packaging/test/booted.sh 300 || code=$?
    case $code in
    0) ;;
    77) die "this machine cannot boot another one" "see the line above" 77 ;;
    *)
        tail -n "${JOURNAL_LINES:-60}" "$lab/journal.txt" >&2 2>/dev/null || true
        die "a scenario failed" "the end of the journal is above"
        ;;
    esac
}

if [ -n "$deb" ]; then
    step "lintian"
    lint error "$deb" # each version has other warnings
    step "booted"
    mkdir "$lab/packages"
    cp "$deb" "$lab/packages/sluice_0.1.0_like.deb"
    dpkg-deb --raw-extract "$deb" "$lab/next"
    sed -i '/^Version: /s/$/+1/' "$lab/next/DEBIAN/control"
    dpkg-deb --root-owner-group -Zgzip -z1 --build "$lab/next" "$lab/packages/sluice_0.1.1_like.deb" >/dev/null
    boot
    echo "package: all good"
    exit
fi

# shellcheck source=/dev/null
. scripts/go.sh
need_go test.sh

# commands DIR: builds the commands of this tree, or of another one, as for a release.
commands() { (cd "${2:-.}" && CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o "$1/" ./cmd/...); }

step "build"
native=$(go env GOARCH)
commands "$lab/bin"
echo "The licences of a release are here." >"$lab/notices"
make_packages() { packaging/package.sh --arch "$native" --native-bin "$lab/bin" --notices "$lab/notices" "$@" >/dev/null; } # further arguments
mkdir "$lab/packages"
go -C packaging tool nfpm package --config "$PWD/packaging/test/provider.yaml" --packager rpm --target "$lab/packages/provider.rpm" >/dev/null
make_packages --version v0.1.0 --bin "$lab/bin" --out "$lab/packages"
# One that an upgrade leads to, and one whose layout is another one.
if wants booted || wants bare; then
    mkdir "$lab/next"
    git ls-files -z --cached --others --exclude-standard | tar -c --null -T - | tar -x -C "$lab/next"
    sed -i -E 's/^(\tVersion = )[0-9]+$/\199/' "$lab/next/layout/layout.go"
    commands "$lab/bin-next" "$lab/next"
    "$lab/bin-next/producer" --version | grep -q '^segment layout version 99$' || die "the version of the layout was not replaced" "see layout/layout.go"
    rm -rf "$lab/next"
    make_packages --version v0.1.1 --bin "$lab/bin" --out "$lab/packages"
    make_packages --version v0.2.0 --bin "$lab/bin-next" --out "$lab/packages"
fi

if wants made; then
    step "made"
    make_packages --version v0.1.0 --bin "$lab/bin" --out "$lab/again"
    for file in "$lab"/again/*; do
        cmp "$file" "$lab/packages/${file##*/}" || die "two builds of ${file##*/} differ" "a time, or an order, is in it"
    done
    rm -r "$lab/again"
    lint error,warning "$lab"/packages/sluice_0.1.0_*.deb
    # The same files, except for those that have other places or that only one format has.
    diff <(dpkg-deb --fsys-tarfile "$lab"/packages/sluice_0.1.0_*.deb | tar -t | sed 's/^\.//' | grep -v '/$' | grep -vE 'copyright$|changelog.Debian|/lintian/|/vendor-completions/' | sort) \
        <(rpm -qp --qf '[%{FILEMODES:perms} %{FILENAMES}\n]' "$lab"/packages/sluice-0.1.0.*.rpm 2>/dev/null | sed -n '/^[^d]/s/^[^ ]* //p' |
            grep -vE '/licenses/|/site-functions/' | sort) ||
        die "the formats have different files" "see content in packaging/package.sh"
    # A build before the release sorts before it, in both formats.
    for before in v0.1.0-rc.1 v0.1.0-0.20260102030405-abcdef012345; do
        make_packages --version $before --bin "$lab/bin" --out "$lab/before"
        version=$(dpkg-deb -f "$lab"/before/*.deb Version)
        dpkg --compare-versions "$version" lt 0.1.0-1 || die "$before is $version, which is not before 0.1.0" "see packaging/package.sh"
        [ "$(rpm -qp --qf '%{version}-%{release}' "$lab"/before/*.rpm 2>/dev/null)" = "$version" ] || die "the rpm of $before has another version than $version" "see packaging/package.sh"
        rm -r "$lab/before"
    done
fi

if wants booted; then
    step "booted"
    boot
fi

if wants bare; then
    step "bare"
    packaging/test/bare.sh "$lab/packages"
fi
echo "packages: all good"
