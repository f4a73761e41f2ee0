/**
 * The guest's initial RAM disk: busybox, the virtio modules of the kernel that scripts/setup unpacked, and one script.
 * What a guest is to do comes on its kernel command line (`GuestTask`), so one image serves all.
 */
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from '../daemon.js';
import { runSync } from '../shell.js';

const guestDirectory = `${projectRoot}build/guest`;
const busybox = '/bin/busybox';
/** Writes to the guest's disk (its head says how). */
const writer = `${projectRoot}build/lab-writer`;

/**
 * 96 MiB and a little. Before 9.0 QEMU under TCG forgets pages that are written while it migrates, where the memory is a multiple of
 * 256 KiB: it takes a short cut to its bitmap then, which leaves the TLB as it is (QEMU's commit 03bfc2188f). Guests died of it.
 */
export const guestMemory = `${96 * 1024 + 8}k`;
export const kernelFile = join(guestDirectory, 'vmlinuz');
/** Written by the guest on its console when its network and services are up. */
export const readyLine = 'LAB-GUEST-READY';
/**
 * With the word "lab.write=SECONDS" the guest writes 128 KiB somewhere on its disk, flushes, says so on its console with how often
 * it has, and waits for so long, again and again.
 */
export const wroteLine = 'LAB-GUEST-WROTE';

/**
 * With the word "lab.orders" the guest does what comes on its second serial port, a line of shell each, one after the other, and says
 * this on its console after each.
 */
export const doneLine = 'LAB-GUEST-DONE';

export interface GuestTask {
  readonly mac: string;
  /** With mask. */
  readonly ipv4: string;
  readonly ipv6: string;
  /** "PREFIX,GATEWAY". */
  readonly routes: readonly string[];
  readonly defaultGateway: string;
  /** Port at which it sends back what it gets; any number of connections, one after another or at once. */
  readonly echoPort: number;
}

/** A word of the kernel command line each; init (below) reads them. */
export function commandLine(task: GuestTask, takesOrders = false): string {
  const words = ['console=ttyS0', 'edd=off', 'quiet', 'panic=-1'];
  words.push(`lab.ip=${task.ipv4}`, `lab.ip6=${task.ipv6}`, `lab.default=${task.defaultGateway}`);
  words.push(`lab.routes=${task.routes.join(';')}`, `lab.echo=${task.echoPort}`);
  if (takesOrders) words.push('lab.orders');
  return words.join(' ');
}

const initScript = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod /modules/$module.ko; done </modules/order
value() { sed -n "s/.*lab.$1=\\([^ ]*\\).*/\\1/p" /proc/cmdline; }
echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad
ip link set lo up
ip link set eth0 up
ip addr add $(value ip) dev eth0
ip -6 addr add $(value ip6) dev eth0
for route in $(value routes | tr ';' ' '); do ip route add \${route%,*} via \${route#*,}; done
ip route add default via $(value default)
while true; do nc -ll -p $(value echo) -e cat; sleep 1; done &
if [ -n "$(value write)" ]; then
  blocks=$(($(cat /sys/block/vda/size) / 128))
  written=0
  while true; do
    at=$(((RANDOM * 32768 + RANDOM) % (blocks - 2)))
    dd if=/dev/urandom of=/dev/vda bs=64k count=2 seek=$at conv=notrunc,fsync 2>/dev/null || break
    written=$((written + 1))
    echo ${wroteLine} $written >/dev/console
    sleep $(value write)
  done &
fi
if grep -q lab.orders /proc/cmdline; then
  stty -F /dev/ttyS1 raw -echo
  while read -r line; do
    eval "$line"
    echo ${doneLine} >/dev/console
  done </dev/ttyS1 &
fi
listening=$(printf ':%04X [0-9A-F]*:0000 0A ' $(value echo))
until grep -q "$listening" /proc/net/tcp /proc/net/tcp6; do sleep 0.1; done
echo ${readyLine} >/dev/console
wait
`;

/** Why no guest can be run here; undefined when all is there. */
export function missingForGuests(): string | undefined {
  const remedy = 'run scripts/setup --tests';
  if (!existsSync('/usr/bin/qemu-system-x86_64')) return `qemu-system-x86 is not installed; ${remedy}`;
  if (!existsSync(busybox)) return `busybox-static is not installed; ${remedy}`;
  if (!existsSync(writer)) return `build/lab-writer is not there; ${remedy}`;
  if (!existsSync(join(guestDirectory, 'complete'))) return `there is no guest kernel; ${remedy}`;
  if (!existsSync('/dev/net/tun')) return 'there is no /dev/net/tun: the kernel module tun is missing';
  return undefined;
}

/** Builds the image unless it is newer than this program; answers its path. */
export function guestImage(): string {
  const image = join(guestDirectory, 'initramfs');
  const self = Math.max(...[new URL(import.meta.url), writer].map((path) => statSync(path).mtimeMs));
  if (existsSync(image) && statSync(image).mtimeMs > self) return image;
  const tree = mkdtempSync(join(tmpdir(), 'lab-guest-'));
  for (const directory of ['bin', 'proc', 'sys', 'dev']) mkdirSync(join(tree, directory));
  copyFileSync(busybox, join(tree, 'bin/busybox'));
  copyFileSync(writer, join(tree, 'bin/lab-writer'));
  chmodSync(join(tree, 'bin/lab-writer'), 0o755);
  cpSync(join(guestDirectory, 'modules'), join(tree, 'modules'), { recursive: true });
  writeFileSync(join(tree, 'init'), initScript);
  chmodSync(join(tree, 'init'), 0o755);
  runSync(['sh', '-c', `cd ${tree} && find . | cpio --quiet -o -H newc | gzip -1 >${image}.${process.pid}`]);
  renameSync(`${image}.${process.pid}`, image);
  rmSync(tree, { recursive: true });
  return image;
}
