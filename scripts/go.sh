# shellcheck shell=bash
# What the scripts that build sluice share; they source it from the repository's root. It
# stops a script that has no Go to build with, and says how to get one.

# need_go SCRIPT
need_go() {
    local need have remedy="install it: sudo apt-get install golang-go ca-certificates (Debian 13, Ubuntu 24.04, or later), or https://go.dev/dl"
    need=$(awk '/^go /{print $2}' go.mod)
    if ! command -v go >/dev/null; then
        printf '%s: error: there is no go command; sluice is built with Go %s\n%s: hint: %s\n' "$1" "$need" "$1" "$remedy" >&2
        exit 1
    fi
    # Outside the module, so that this go answers, and not the one that go.mod asks for.
    have=$(cd / && GOTOOLCHAIN=local go env GOVERSION)
    have=${have#go} have=${have%%[!0-9.]*}
    ! printf '%s\n' "$need" "$have" | sort -CV || return 0
    if ! printf '%s\n' 1.21 "$have" | sort -CV; then
        printf '%s: error: this is Go %s; sluice is built with %s, which Go fetches by itself only from 1.21 on\n%s: hint: %s\n' "$1" "$have" "$need" "$1" "$remedy" >&2
        exit 1
    fi
    # Debian's and Ubuntu's go is set to fetch no other version.
    export GOTOOLCHAIN=${GOTOOLCHAIN:-auto}
    if ! go version >/dev/null; then
        printf '%s: hint: this is Go %s, which has to fetch %s: GOTOOLCHAIN=auto and access to the network, or %s\n' "$1" "$have" "$need" "$remedy" >&2
        exit 1
    fi
}
