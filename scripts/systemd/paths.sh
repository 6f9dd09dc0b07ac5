# shellcheck shell=bash disable=SC2034 # used by those that source it
# The paths of installed files. Sourced by install.sh and uninstall.sh.
#
#   PREFIX   default /usr/local; not below a home or a temporary directory, which the units hide
#   DESTDIR  a directory to use in place of /, for packages; nothing on this machine is then started or stopped

prefix=${PREFIX:-/usr/local} root=${DESTDIR:-}
die() { printf '%s: error: %s\n%s: hint: %s\n' "${0##*/}" "$1" "${0##*/}" "$2" >&2; exit 1; } # ERROR HINT

case $prefix/ in
/home/* | /root/* | /run/user/* | /tmp/* | /var/tmp/*) die "PREFIX=$prefix: ProtectHome= and PrivateTmp= hide it from the services" "choose another, such as /opt/sluice" ;;
/*/) ;;
*) die "PREFIX=$prefix: want an absolute path" "for example: PREFIX=/opt/sluice" ;;
esac

lib=$prefix/lib/sluice
path=$prefix/bin # where a shell finds commands
doc=$prefix/share/doc/sluice
case $prefix in
/usr | /usr/local) share=$prefix/lib units=$prefix/lib/systemd/system ;; # systemd looks there
*) share=/etc units=/etc/systemd/system ;;
esac

binaries=(producer consumer gauge bridge)
# command_of BINARY prints the name that the binary has where a shell finds commands: iproute2 has a command bridge, too.
command_of() { case $1 in bridge) echo sluice-bridge ;; *) echo "$1" ;; esac }
# shares COMMAND prints the paths of its manual page and of its completions for bash and fish.
shares() { echo "$prefix/share/man/man1/$1.1 $prefix/share/bash-completion/completions/$1 $prefix/share/fish/vendor_completions.d/$1.fish"; }
# remove_old_names removes the link and the files of the command bridge, as installations before 0.1.0 called it.
remove_old_names() {
    local f
    [ "$(readlink "$root$path/bridge")" != ../lib/sluice/bridge ] || rm "$root$path/bridge"
    for f in $(shares bridge); do
        if grep -qs sluice "$root$f"; then rm "$root$f"; fi
    done
}
zsh_completion=$prefix/share/zsh/site-functions/_sluice # of all commands
made=$lib/made                                          # lists the directories that were created for these
unit_files=(sluice@.target sluice-producer@.service sluice-consumer@.service sluice-consumer@.socket sluice-gauge.service
    sluice-bridge-out@.service sluice-bridge-in@.service sluice-nats.service)

# live reports whether systemd is running on the machine that is installed to.
live() { [ -z "$root" ] && [ -d /run/systemd/system ]; }
