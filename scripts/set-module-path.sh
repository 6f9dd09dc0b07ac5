#!/usr/bin/env bash
# Sets the path of the Go module everywhere: go.mod, imports, docs and examples.
#
#   scripts/set-module-path.sh [--force] PATH
#
# PATH is where the module will be fetched from, such as github.com/you/sluice. The
# names of packages and commands do not change. The tree must have no uncommitted
# changes, so that `git diff` shows the changes of this script and `git checkout .`
# reverts them; --force skips this check. Needs Go; does not build or commit anything.
set -euo pipefail

die() { # CODE ERROR HINT
    printf 'set-module-path.sh: error: %s\nset-module-path.sh: hint: %s\n' "$2" "$3" >&2
    exit "$1"
}

force=false path=
for arg in "$@"; do
    case $arg in
    -h | --help)
        sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    --force) force=true ;;
    -*) die 2 "unknown argument \"$arg\"" "--force and PATH; see --help" ;;
    *)
        [ -z "$path" ] || die 2 "more than one PATH: $path and $arg" "see --help"
        [ -n "$arg" ] || die 2 "PATH is empty" "see --help"
        path=$arg
        ;;
    esac
done
[ -n "$path" ] || die 2 "PATH is missing" "for example: scripts/set-module-path.sh github.com/you/sluice"

# What module paths are made of, see https://go.dev/ref/mod#module-path.
case $path in
*[!a-zA-Z0-9._~/-]*) die 2 "invalid path \"$path\": want letters, digits and . _ ~ - between slashes" "omit the https:// of a URL" ;;
/* | */ | *//*) die 2 "invalid path \"$path\": an element between slashes is empty" "for example github.com/you/sluice" ;;
esac
IFS=/ read -r -a elements <<<"$path"
for element in "${elements[@]}"; do
    case $element in
    .* | *. | -*) die 2 "invalid path \"$path\": \"$element\" begins or ends with a dot, or begins with a dash" "for example github.com/you/sluice" ;;
    internal | vendor) die 2 "invalid path \"$path\": with \"$element\" other modules cannot import it" "choose another path" ;;
    esac
done
if [[ ${elements[-1]} =~ ^v[0-9]+$ ]] && [ "${#elements[@]}" -gt 1 ]; then
    die 2 "invalid path \"$path\": /${elements[-1]} is for major versions from 2 on, this is version 0" "omit it"
fi

cd "$(dirname "$0")/.."
# shellcheck source=/dev/null
. scripts/go.sh
need_go set-module-path.sh
old=$(go list -m)
[ "$path" != "$old" ] || die 1 "the module path is already $old" "nothing was changed"
if ! $force && [ -e .git ] && changed=$(git status --porcelain --untracked-files=no) && [ -n "$changed" ]; then
    die 1 "there are uncommitted changes" "commit them first, or use --force"
fi
[ ! -e "$(go env GOROOT)/src/${elements[0]}" ] || die 2 "\"${elements[0]}\" is a directory of Go's standard library" "choose another path"
! grep -qE "^(require)?[[:space:]]*$path v" go.mod || die 2 "$path is a dependency of this module" "choose another path"
mistake=$(go mod edit -module "$path" -print 2>&1 >/dev/null) || die 2 "invalid path \"$path\": $mistake" "for example github.com/you/sluice"

mapfile -t files < <(
    if [ -e .git ]; then git ls-files --cached --others --exclude-standard; else find . -type f -not -path './.git/*' -not -path './bin/*' -not -path './build/*' -printf '%P\n'; fi |
        while read -r file; do [ ! -f "$file" ] || echo "$file"; done |
        grep -E '\.(go|md|sh|bash|zsh|fish|yml|yaml)$|^(go\.mod|Makefile|\.ci/.*)$'
)
# A package is the old path, a slash and a directory of this tree, not preceded by a character
# of a longer path. The module itself appears alone in imports, and after replace and require.
folders=$(for f in */; do find "$f" -name '*.go' -print -quit; done | cut -d/ -f1 | paste -sd'|')
was=${old//./\\.}
sed -E -i \
    -e "s#(^|[^A-Za-z0-9_./~-])$was/($folders)\b#\1$path/\2#g" \
    -e "s#^(\s*([A-Za-z_.][A-Za-z0-9_]*\s+)?)\"$was\"(\s*(//.*)?)\$#\1\"$path\"\3#" \
    -e "s#\b(import\s+([A-Za-z_.][A-Za-z0-9_]*\s+)?\\\\?)\"$was(\\\\?\")#\1\"$path\3#g" \
    -e "s#\b(replace|require)([ =])$was([ =@])#\1\2$path\3#g" \
    -e "s#\b(go (get|doc|install)( -[a-z]+)* )$was([ @.\`]|\$)#\1$path\4#g" \
    "${files[@]}"
go mod edit -module "$path"
mapfile -t sources < <(printf '%s\n' "${files[@]}" | grep '\.go$')
"$(go env GOROOT)/bin/gofmt" -w "${sources[@]}" # the order of imports may change

echo "The module path was $old and is $path."
case ${elements[0]} in *.*) ;; *) echo "Its first element has no dot, so no other machine can fetch it." ;; esac
echo "Check it with: go vet ./... && go test ./..."
