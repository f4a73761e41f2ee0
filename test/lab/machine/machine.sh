#!/bin/bash
# A machine's first process (machine.ts starts it in namespaces of its own). Gives it a file system that begins as the
# fresh root and forgets everything at the end, prints "up", and reaps what is left to it.
#   machine.sh FRESH-ROOT HOST-NAME FILES
# FILES is a folder of the host that the machine sees as /media/files.
set -euo pipefail
base=$1 name=$2 files=$3

# The mounts are this namespace's own: what the host has there stays as it is.
place=/mnt
mount -t tmpfs -o mode=755 machine "$place"
mkdir "$place/upper" "$place/work" "$place/root"
mount -t overlay -o "lowerdir=$base,upperdir=$place/upper,workdir=$place/work" machine "$place/root"
cd "$place/root"
mount -t proc proc proc
mount -t sysfs -o ro sys sys
mount --bind /dev dev
mount -t tmpfs -o mode=755 run run
mkdir -p run/systemd/system media/files
mount --bind -o ro "$files" media/files
install -m 755 "$(dirname "$0")/systemctl" usr/bin/systemctl
hostname "$name"
printf '%s\n' "$name" >etc/hostname
printf '127.0.0.1 localhost %s\n' "$name" >etc/hosts
# Said by the process that has its root there: whoever enters the machine takes the root from it.
exec chroot . /bin/bash -c 'echo up; while :; do sleep 3600 & wait; done'
