/**
 * The package `raw-socket`, as far as it is used: IP sockets for other protocols than TCP and UDP. Main thread only. It is
 * loaded when the first is opened: a router that stands alone at its site does without. It is bound to V8, so each Node has a
 * copy that was compiled for it (scripts/build-native).
 */
import { createRequire } from 'node:module';
import { compiledPath } from '../../../dataplane/native.js';

export interface RawSocket {
  /** Throws with the system's words. */
  setOption(level: number, option: number, value: Buffer, length: number): void;
  /**
   * `done` is called when the kernel has taken the packet, or not: never within this call, but for a wrong argument. If it throws,
   * it is called again with what it threw.
   */
  send(
    packet: Buffer,
    offset: number,
    length: number,
    to: string,
    done: (error: Error | null, bytes: number) => void,
  ): this;
  /**
   * One packet, of IPv4 with its header. The buffer is read into again afterwards. What a listener throws would come back as
   * `error`, as if the socket had failed.
   */
  on(name: 'message', listener: (packet: Buffer, source: string) => void): this;
  on(name: 'error', listener: (error: Error) => void): this;
  /** Once only: the package says `close` at each call. */
  close(): this;
}

export interface RawSocketModule {
  createSocket(options: {
    readonly protocol: number;
    readonly addressFamily: number;
    readonly bufferSize?: number;
  }): RawSocket;
  readonly AddressFamily: { readonly IPv4: number; readonly IPv6: number };
}

/** Throws an error that names the remedy when the package is missing or was not compiled for this Node. */
export function loadRawSocket(): RawSocketModule {
  try {
    const loaded: unknown = createRequire(import.meta.url)(compiledPath('raw-socket'));
    if (isModule(loaded)) return loaded;
    throw new Error('it is another package');
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n', 1)[0] : String(error);
    throw new Error(`the package raw-socket does not load (${reason}): run ./scripts/setup`, {
      cause: error,
    });
  }
}

function isModule(loaded: unknown): loaded is RawSocketModule {
  return (
    typeof loaded === 'object' &&
    loaded !== null &&
    typeof Reflect.get(loaded, 'createSocket') === 'function' &&
    typeof Reflect.get(loaded, 'AddressFamily') === 'object'
  );
}
