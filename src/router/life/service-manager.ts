/**
 * What a service manager is told (sd_notify(3)): ready, reloading, stopping, a line of status, and that all is well.
 * Without `NOTIFY_SOCKET` in the environment nobody listens, and nothing is sent.
 */

export interface ServiceManagerPorts {
  /** One datagram to the socket at `path`; throws with the reason when it cannot be sent. */
  readonly send: (path: string, text: Uint8Array) => void;
  /** Monotonic milliseconds, the zero of CLOCK_MONOTONIC. */
  readonly nowMs: () => number;
  /** Called once, with the reason, when the service manager cannot be reached. */
  readonly onLost: (reason: string) => void;
}

export interface Environment {
  readonly [name: string]: string | undefined;
}

export class ServiceManager {
  readonly #socket: string | undefined;
  readonly #ports: ServiceManagerPorts;
  #lost = false;

  /**
   * How long the manager waits for a sign of life before it ends the process; undefined when it does not watch this
   * process.
   */
  readonly watchdogLimitMs: number | undefined;

  /** @param pid this process: the watchdog may be meant for another */
  constructor(environment: Environment, pid: number, ports: ServiceManagerPorts) {
    this.#socket = environment.NOTIFY_SOCKET || undefined;
    this.#ports = ports;
    this.watchdogLimitMs = this.#socket === undefined ? undefined : watchdogLimit(environment, pid);
  }

  /** The router serves. */
  ready(status: string): void {
    this.#say(['READY=1', `STATUS=${oneLine(status)}`]);
  }

  /** The files are being read again; {@link ready} must follow, also when the reload was refused. */
  reloading(): void {
    const nowUs = Math.round(this.#ports.nowMs() * 1000);
    this.#say(['RELOADING=1', `MONOTONIC_USEC=${nowUs}`, 'STATUS=reloading']);
  }

  stopping(): void {
    this.#say(['STOPPING=1', 'STATUS=stopping']);
  }

  status(text: string): void {
    this.#say([`STATUS=${oneLine(text)}`]);
  }

  /** Main thread and packet workers make progress (watchdog.ts decides). */
  alive(): void {
    this.#say(['WATCHDOG=1']);
  }

  #say(lines: readonly string[]): void {
    if (this.#socket === undefined) return;
    try {
      this.#ports.send(this.#socket, new TextEncoder().encode(`${lines.join('\n')}\n`));
    } catch (error) {
      if (this.#lost) return;
      this.#lost = true;
      this.#ports.onLost(error instanceof Error ? error.message : String(error));
    }
  }
}

/** sd_watchdog_enabled(3). */
function watchdogLimit(environment: Environment, pid: number): number | undefined {
  const { WATCHDOG_PID, WATCHDOG_USEC } = environment;
  if (WATCHDOG_PID !== undefined && WATCHDOG_PID !== String(pid)) return undefined;
  const us = /^\d+$/.test(WATCHDOG_USEC ?? '') ? Number(WATCHDOG_USEC) : 0;
  return us > 0 ? us / 1000 : undefined;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
