#!/usr/bin/env bash
# Makes a deb and an rpm from built commands, with the files that scripts/systemd/install.sh installs.
#
#   packaging/package.sh --version V --arch amd64|arm64 --bin DIR --notices FILE --out DIR [--native-bin DIR]
#                         [--maintainer TEXT]
#
# --version     0.1.0 or v0.1.0; what follows a dash (v0.1.0-rc.1) sorts before the release (0.1.0~rc.1)
# --arch        the architecture of the commands, as Go calls it
# --bin         directory with producer, consumer, gauge and bridge. Build them with CGO_ENABLED=0, because the packages
#               do not depend on a C library, and with -trimpath -ldflags='-s -w'
# --native-bin  directory with the same commands for this machine, which print their manual pages (default: --bin)
# --notices     the licences of what is linked (packaging/notices), which packaging/copyright refers to
# --out         writes sluice_VERSION_ARCH.deb and sluice-VERSION.ARCH.rpm there, with ARCH as the format calls it
# --maintainer  NAME <ADDRESS> of who publishes the packages
#
# The same commands, version and commit give the same bytes: all times are SOURCE_DATE_EPOCH, or else the commit's.
set -euo pipefail
die() { printf 'package.sh: error: %s\npackage.sh: hint: %s\n' "$1" "$2" >&2; exit "${3:-1}"; }

version='' arch='' bin='' native='' notices='' out='' maintainer='sluice maintainers <maintainers@sluice.invalid>'
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help)
        sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    --version | --arch | --bin | --native-bin | --notices | --out | --maintainer)
        [ $# -gt 1 ] || die "$1: a value is missing" "see --help" 2
        case $1 in
        --version) version=${2#v} ;;
        --arch) arch=$2 ;;
        --bin) bin=$2 ;;
        --native-bin) native=$2 ;;
        --notices) notices=$2 ;;
        --out) out=$2 ;;
        --maintainer) maintainer=$2 ;;
        esac
        shift 2
        ;;
    *) die "unknown argument \"$1\"" "see --help" 2 ;;
    esac
done
case $arch in
amd64) rpm_arch=x86_64 ;;
arm64) rpm_arch=aarch64 ;;
*) die "--arch: unknown architecture \"$arch\"" "amd64 or arm64" 2 ;;
esac
if [ -z "$bin" ] || [ -z "$notices" ] || [ -z "$out" ]; then die "--bin, --notices or --out: a value is missing" "see --help" 2; fi
[[ $version == *-* ]] && version=${version%%-*}~${version#*-} && version=${version//-/.}
[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+([~+][A-Za-z0-9.+~]+)?$ ]] || die "--version: invalid version \"$version\"" "examples: 0.1.0, v0.1.0, v0.1.0-rc.1" 2

mkdir -p "$out"
bin=$(realpath "$bin") native=$(realpath "${native:-$bin}") out=$(realpath "$out") notices=$(realpath "$notices")
cd "$(dirname "$0")/.."
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct)}"
export SOURCE_DATE_EPOCH

umask 022
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
BIN=$bin NATIVE_BIN=$native DESTDIR=$root PREFIX=/usr scripts/systemd/install.sh >/dev/null
rm "$root/usr/lib/sluice/made" # for uninstall.sh
doc=$root/usr/share/doc/sluice
# install, because the files of a clone have the modes of its umask.
install -m 644 CHANGELOG.md "$doc/changelog"
install -m 644 packaging/copyright "$doc/copyright"
install -m 644 LICENSE "$work/LICENSE"
install -m 644 "$notices" "$doc/THIRD-PARTY-NOTICES"
packaging/documents.sh "$doc"
install -D -m 644 packaging/lintian-overrides "$root/usr/share/lintian/overrides/sluice"
printf 'sluice (%s-1) stable; urgency=medium\n\n  * The changes are in changelog.gz.\n\n -- %s  %s\n' \
    "$version" "$maintainer" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")" >"$doc/changelog.Debian"
go -C packaging run -buildvcs=false ./gzip "$doc"/changelog* "$root"/usr/share/man/man1/*

scripts=$work/scripts
mkdir "$scripts"
for script in postinst prerm postrm; do
    {
        printf '#!/bin/sh\nset -e\n'
        cat packaging/maintainer/common scripts/systemd/leave.sh "packaging/maintainer/$script"
    } | sed '/^# shellcheck/d' >"$scripts/$script"
done

# content PATH [TYPE]: an entry of the list of files.
content() {
    local to=$1 only=''
    case $1 in
    */copyright | */changelog.Debian.gz | */lintian/*) only=deb ;;
    esac
    case $1 in
    /usr/share/zsh/*) # Debian has another place than the others
        printf '  - { src: "%s", dst: "%s", packager: rpm }\n' "$root$1" "$1"
        to=/usr/share/zsh/vendor-completions/_sluice only=deb
        ;;
    esac
    printf '  - { src: "%s", dst: "%s"%s%s }\n' "${3:-$root$1}" "$to" "${2:+, type: $2}" "${only:+, packager: $only}"
}
{
    cat <<CONFIG
name: sluice
arch: $arch
platform: linux
version: "$version"
version_schema: none
release: "1"
section: net
priority: optional
maintainer: "$maintainer"
license: Apache-2.0
mtime: $(date -u -d "@$SOURCE_DATE_EPOCH" +%FT%TZ)
description: |-
  messages between two processes through shared memory
  The commands producer and consumer move messages between two processes on
  one machine through shared memory, and measure the back-pressure between
  them: which side waits for the other, for how long, and how deep the queue
  is. gauge observes such pairs, and sluice-bridge connects two machines
  through NATS JetStream. With units for systemd.
scripts:
  postinstall: $scripts/postinst
  preremove: $scripts/prerm
  postremove: $scripts/postrm
overrides:
  deb:
    depends: [systemd-standalone-sysusers | systemd-sysusers | systemd]
  rpm:
    depends: [/usr/bin/systemd-sysusers]
rpm:
  buildhost: localhost
contents:
  - { dst: /usr/lib/sluice, type: dir }
  - { dst: /usr/share/doc/sluice, type: dir }
  - { dst: /etc/sluice, type: dir }
$(for dir in licenses/sluice bash-completion bash-completion/completions fish fish/vendor_completions.d zsh zsh/site-functions; do
        echo "  - { dst: /usr/share/$dir, type: dir, packager: rpm }" # dpkg removes empty directories, rpm only those of a package
    done
        cd "$root" && find usr/share/doc/sluice -mindepth 1 -type d -printf '  - { dst: /%p, type: dir, packager: rpm }\n' | sort)
  - { src: "$work/LICENSE", dst: /usr/share/licenses/sluice/LICENSE, type: license, packager: rpm }
CONFIG
    (cd "$root" && find . -type f -printf '/%P\n' | sort) | while read -r path; do content "$path"; done
    (cd "$root" && find . -type l -printf '/%P %l\n' | sort) | while read -r path target; do content "$path" symlink "$target"; done
} >"$work/nfpm.yaml"

for format in deb rpm; do
    case $format in
    deb) file=sluice_${version}_$arch.deb ;;
    rpm) file=sluice-$version.$rpm_arch.rpm ;;
    esac
    go -C packaging tool nfpm package --config "$work/nfpm.yaml" --packager $format --target "$work/$file" >"$work/log" 2>&1 || die "nfpm: $(<"$work/log")" "the list of files is made by package.sh"
    mv "$work/$file" "$out/$file"
    echo "$out/$file"
done
