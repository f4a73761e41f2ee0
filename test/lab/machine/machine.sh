#!/bin/bash
# Boots a machine (machine.ts starts this in namespaces of its own for mounts and processes): a file system that begins as the fresh root and
# forgets everything at the end, and systemd in it.
#   machine.sh FRESH-ROOT HOST-NAME FILES NAMESPACE
# FILES is a folder of the host that the machine sees as /media/files. Its network is that of the named namespace. Ends
# when the machine is switched off. It is process 1 of its namespace: when it is killed, the kernel ends the machine's too
# (nspawn alone would leave them).
set -euo pipefail
base=$(readlink -f "$1") name=$2 files=$3 namespace=$4

# The mounts are this namespace's own: what the host has there stays as it is.
place=/mnt
mount -t tmpfs -o mode=755 machine "$place"
mkdir "$place/upper" "$place/work" "$place/root" "$place/nspawn"
mount -t overlay -o "lowerdir=$base,upperdir=$place/upper,workdir=$place/work" machine "$place/root"
printf '%s\n' "$name" >"$place/root/etc/hostname"
printf '127.0.0.1 localhost %s\n' "$name" >"$place/root/etc/hosts"
# Nobody logs in at the console, and the timers are for machines that stay.
for unit in console-getty.service timers.target; do ln -s /dev/null "$place/root/etc/systemd/system/$unit"; done
# As udev leaves it; no udev runs here.
mkdir -p "$place/root/etc/tmpfiles.d"
printf 'z /dev/net/tun 0666\n' >"$place/root/etc/tmpfiles.d/tun.conf"
# nspawn's locks: of no machine of the host's, and gone with this namespace.
mkdir -p /run/systemd/nspawn
mount --bind "$place/nspawn" /run/systemd/nspawn

# A control group of its own in each hierarchy in which systemd keeps units; the lab takes it away (groups.ts).
for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; do
  [ -f "$hierarchy/cgroup.procs" ] || continue
  mkdir -p "$hierarchy/vine-$namespace"
  echo $$ >"$hierarchy/vine-$namespace/cgroup.procs"
done

# One hierarchy of control groups, as Debian has it, also where this machine has the old ones.
export UNIFIED_CGROUP_HIERARCHY=1
# The kernel's modules are not the machine's to load.
exec systemd-nspawn --quiet --directory="$place/root" --machine="$name" --register=no --keep-unit \
  --capability=all --drop-capability=CAP_SYS_MODULE --network-namespace-path="/run/netns/$namespace" \
  --bind-ro="$files:/media/files" --console=read-only --boot
