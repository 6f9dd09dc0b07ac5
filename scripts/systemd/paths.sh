# shellcheck shell=bash disable=SC2034 # used by those that source it
# Where install.sh puts things, and uninstall.sh finds them. Both source this.
#
#   PREFIX   /usr/local unless said otherwise; not below a home or a temporary folder, which the units hide
#   DESTDIR  a folder that stands for /, to make a package in; then nothing on this machine is started or stopped

prefix=${PREFIX:-/usr/local} root=${DESTDIR:-}
die() { echo "${0##*/}: $*" >&2; exit 1; }

case $prefix/ in
/home/* | /root/* | /run/user/* | /tmp/* | /var/tmp/*) die "PREFIX=$prefix: ProtectHome= and PrivateTmp= hide what is there from the services; choose another" ;;
/*/) ;;
*) die "PREFIX=$prefix: a path from / on" ;;
esac

lib=$prefix/lib/sluice
path=$prefix/bin # where a shell finds commands
doc=$prefix/share/doc/sluice
case $prefix in
/usr | /usr/local) share=$prefix/lib units=$prefix/lib/systemd/system ;; # systemd looks there
*) share=/etc units=/etc/systemd/system ;;
esac

binaries=(producer consumer gauge)
# shares COMMAND lists what helps with one: its manual page, and the completions of bash and fish.
shares() { echo "$prefix/share/man/man1/$1.1 $prefix/share/bash-completion/completions/$1 $prefix/share/fish/vendor_completions.d/$1.fish"; }
zsh_completion=$prefix/share/zsh/site-functions/_sluice # of all of them
made=$lib/made                                          # lists the folders that were made for these
unit_files=(sluice@.target sluice-producer@.service sluice-consumer@.service sluice-consumer@.socket sluice-gauge.service)

# live reports whether there is a systemd to talk to.
live() { [ -z "$root" ] && [ -d /run/systemd/system ]; }
