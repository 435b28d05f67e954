#!/bin/sh
# usage: tests/fresh.sh [--worktree]
#
# Proves that "make demo" and "make check" need nothing but what the README
# says: a bare Debian 12 with git and make.  Each command has a system of its
# own and runs there twice: with the host's network, then with none at all
# but loopback, since what is installed must not be asked for again.
#
#   --worktree  try the files as they are, not as they are committed
#
# Needs root, for chroot and for namespaces.
set -eu

fail()
{
    echo "fresh: $*" >&2
    exit 1
}

worktree=no
case "$#,${1-}" in
0,) ;;
1,--worktree) worktree=yes ;;
*) sed -n '2p' "$0" >&2 && exit 64 ;;
esac
[ "$(id -u)" = 0 ] || fail 'needs root, for chroot: sudo make fresh'
unshare --mount --pid --net --fork true ||
    fail 'needs the right to make namespaces: run it outside of a container'
cd "$(dirname "$0")/.."

logs=$(mktemp -d "${TMPDIR:-/tmp}/evald-fresh-logs.XXXXXX")
work=$(mktemp -d "${TMPDIR:-/tmp}/evald-fresh.XXXXXX")
verdict=failed
end()
{
    # What is mounted below is mounted in a namespace that is gone by now;
    # --one-file-system is there in case this is wrong.
    rm -rf --one-file-system "$work"
    if [ $verdict = passed ]; then
        rm -rf "$logs"
    elif ! rmdir "$logs" 2>/dev/null; then
        echo "fresh: FAILED, see $logs" >&2
    fi
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
# apt leaves root behind to download, and must get through.
chmod 755 "$work"

# run NAME COMMAND...: keeps the output, tells how long it took.
run()
{
    name=$1
    shift
    printf 'fresh: %s ... ' "$name"
    began=$(date +%s)
    if "$@" >"$logs/$name.log" 2>&1 </dev/null; then
        echo "ok, $(($(date +%s) - began)) s"
    else
        echo "FAILED, exit code $?"
        tail -n 30 "$logs/$name.log"
        exit 1
    fi
}

# A host of the same release lends its package sources; with any other,
# mmdebstrap knows where Debian is.
sources()
{
    # shellcheck source=/dev/null
    [ "$(. /etc/os-release && echo "$ID $VERSION_CODENAME")" = \
        'debian bookworm' ] || return 0
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources; do
        [ ! -s "$file" ] || echo "$file"
    done
}

# The host's way to reach the package servers, proxies for instance.
apt_configuration()
{
    command -v apt-config >/dev/null || return 0
    apt-config dump | grep -E '^Acquire::(https?|Check-|Retries)' || true
}

make_root()
{
    apt_configuration >"$work/apt.conf"
    # shellcheck disable=SC2046 # one word per file
    mmdebstrap --mode=root --variant=apt --include=git,make,ca-certificates \
        --aptopt="$work/apt.conf" bookworm "$work/bare" $(sources)
    cp -L /etc/resolv.conf "$work/bare/etc/resolv.conf"
}

copy_project()
{
    to=$work/bare/root/evald
    if [ $worktree = no ]; then
        git clone -q --no-hardlinks . "$to"
    else
        git clone -q --no-hardlinks --no-checkout . "$to"
        git ls-files -z --cached --others --exclude-standard |
            tar --create --null --files-from=- --ignore-failed-read |
            tar --extract --directory="$to"
    fi
}

# inside ROOT NETWORK COMMAND: in namespaces that take mounts and processes
# along when the command ends, and with nothing of the environment.  The first
# process of a namespace sees only signals that it asks for, and unshare sees
# neither SIGINT nor SIGTERM: hence the trap and -k.
inside()
{
    isolated=''
    [ "$2" = online ] || isolated=--net
    # shellcheck disable=SC2016,SC2086 # for the inner shell; one word or none
    timeout --foreground -k 10 3600 \
        unshare --mount --pid --fork --kill-child $isolated sh -euc '
            trap "exit 130" INT TERM
            [ -z "$3" ] || ip link set lo up
            mount -t proc proc "$1/proc"
            chroot "$1" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin \
                HOME=/root sh -c "cd /root/evald && exec $2" || exit $?
        ' sh "$1" "$3" "$isolated"
}

# Root's git does not trust the directories of others unless told to.
printf '[safe]\n\tdirectory = *\n' >"$work/gitconfig"
export GIT_CONFIG_GLOBAL="$work/gitconfig"
[ $worktree = yes ] || git rev-parse -q --verify HEAD >/dev/null ||
    fail 'there is no commit yet: try --worktree'
run bare-debian make_root
run copy-project copy_project
for target in demo check; do
    run "$target-system" cp -a "$work/bare" "$work/$target"
    for network in online offline; do
        run "$target-$network" inside "$work/$target" $network "make $target"
    done
    rm -rf --one-file-system "${work:?}/$target"
done
verdict=passed
echo 'fresh: make demo and make check pass on a bare Debian 12'
