#!/usr/bin/env bash
# shellcheck disable=SC1091 # formats.sh is not followed
# in-root.sh deb|rpm: the scenario of bare.sh, as root in that root.
set -euo pipefail
. /test/formats.sh /packages
fail() { echo "$format: $*" >&2; exit 1; }
# is WHAT GOT WANT
is() { [ "$2" = "$3" ] || fail "$1: $2, want $3"; }
inventory() { find / -xdev -path /proc -prune -o -path /dev -prune -o ! -path '/var/lib/dpkg/*' ! -path '/var/cache/*' ! -path '/var/lib/rpm*' ! -path '/usr/lib/sysimage/*' ! -path '/var/log/*' ! -name '*-' ! -name .pwd.lock ! -name '.updated' ! -path /before ! -path /after -print | sort; getent passwd; getent group; }
quietly() {
    local out
    out=$("$@") || fail "$*: exit code $?: $out"
    [ -z "$out" ] || fail "$*: it prints $out"
}

format=$1
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d # starts of services are forbidden
chmod 755 /usr/sbin/policy-rc.d
apt-get update -q >/dev/null
case $format in
deb)
    apt-get install -q -y --no-install-recommends /packages/sluice_0.1.0_*.deb >/tmp/log 2>&1 || fail "apt-get install: $(</tmp/log)"
    is "what the dependency installs" "$(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' 'systemd*' 2>/dev/null | grep ^ii | xargs)" "ii systemd-standalone-sysusers"
    quietly deb purge
    inventory >/before
    quietly deb install 0.1.0
    do=deb
    ;;
rpm)
    apt-get install -q -y --no-install-recommends rpm systemd-standalone-sysusers >/tmp/log 2>&1 || fail "apt-get install: $(</tmp/log)"
    rpm --install /packages/provider.rpm 2>/dev/null
    mkdir -p /usr/share/licenses /usr/lib/sysusers.d # as systems with rpm have it
    inventory >/before
    quietly rpm_ install 0.1.0
    do=rpm_
    ;;
esac
is "the user" "$(getent passwd sluice | cut -d: -f5,6)" "sluice pairs:/"

# The commands work, also for another user.
producer --version >/dev/null
setpriv --reuid=1234 --regid=1234 --clear-groups producer --count 1000 --report 0 2>/dev/null
setpriv --reuid=1234 --regid=1234 --clear-groups consumer --verify --report 0 2>&1 | grep -q 'verified 1,000 messages: none missing' || fail "the messages did not arrive"
sluice-bridge --help | grep -q '^Usage: sluice-bridge ' || fail "sluice-bridge --help"
gauge ls >/dev/null 2>&1 || fail "gauge ls"
for command in producer consumer gauge sluice-bridge; do
    [ -s /usr/share/bash-completion/completions/$command ] || fail "no completion of $command"
    # minbase leaves out what is in /usr/share/man
    [ "$format" = deb ] || zcat /usr/share/man/man1/$command.1.gz | grep -q '^.SH NAME' || fail "no manual page of $command"
done

echo SLUICE_RATE=1 >/etc/sluice/orders.env
quietly "$do" install 0.1.1
is "the flags" "$(</etc/sluice/orders.env)" SLUICE_RATE=1
quietly "$do" remove
is "the flags after a removal" "$(</etc/sluice/orders.env)" SLUICE_RATE=1
[ ! -e /usr/lib/sluice ] || fail "/usr/lib/sluice is left"
if [ "$format" = deb ]; then
    quietly deb purge
else # what docs/systemd.md says
    rm -r /etc/sluice
    userdel sluice
fi
inventory >/after
diff /before /after || fail "this is left, or gone"
echo "ok   $format in a bare root"
