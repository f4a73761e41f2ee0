/** Types of what the project uses of the package `cap` 0.2 (libpcap), which has none of its own. */
declare module 'cap' {
  export interface Device {
    readonly name: string;
  }

  export class Cap {
    static deviceList(): Device[];
    /**
     * Opens a device for capture and sending, promiscuous, in immediate mode. Throws when that fails.
     * @param bufferBytes size of the kernel's ring
     * @param buffer where each packet is put; the next one overwrites it
     * @returns the link type, "ETHERNET" for Ethernet
     */
    open(device: string, filter: string, bufferBytes: number, buffer: Buffer): string;
    /** Throws with libpcap's words when the frame cannot be sent. */
    send(frame: Buffer, lengthBytes: number): void;
    /** False when it was closed already. */
    close(): boolean;
    /** Called for each packet, synchronously; `buffer` holds it until the listener returns. */
    on(event: 'packet', listener: (lengthBytes: number, truncated: boolean) => void): this;
  }
}
