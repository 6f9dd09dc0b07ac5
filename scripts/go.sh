# shellcheck shell=bash
# Sourced, from the repository's root, by the scripts that build sluice.

# need_go SCRIPT: exits with an error and a hint if there is no suitable Go.
need_go() {
    local need have remedy="install it: sudo apt-get update && sudo apt-get install golang-go ca-certificates (Debian 13, Ubuntu 24.04, or later), or https://go.dev/dl"
    need=$(awk '/^go /{print $2}' go.mod)
    if ! command -v go >/dev/null; then
        printf '%s: error: no go command found; sluice needs Go %s\n%s: hint: %s\n' "$1" "$need" "$1" "$remedy" >&2
        exit 1
    fi
    # Outside the module, because inside it go runs the version that go.mod names.
    have=$(cd / && GOTOOLCHAIN=local go env GOVERSION)
    have=${have#go} have=${have%%[!0-9.]*}
    ! printf '%s\n' "$need" "$have" | sort -CV || return 0
    if ! printf '%s\n' 1.21 "$have" | sort -CV; then
        printf '%s: error: this is Go %s; sluice needs %s, which Go downloads by itself only from 1.21 on\n%s: hint: %s\n' "$1" "$have" "$need" "$1" "$remedy" >&2
        exit 1
    fi
    # On Debian and Ubuntu, go is configured not to download other versions.
    export GOTOOLCHAIN=${GOTOOLCHAIN:-auto}
    if ! go version >/dev/null; then
        printf '%s: hint: this is Go %s, which must download %s: set GOTOOLCHAIN=auto and check the network, or %s\n' "$1" "$have" "$need" "$remedy" >&2
        exit 1
    fi
}
