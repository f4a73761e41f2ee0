/** Time as it is handed in: state machines never read a clock or start a timer of their own. */

/** Cancels nothing twice: `cancel` of a timer that fired or was cancelled is harmless. */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Monotonic, milliseconds with a fraction; its zero is arbitrary. */
  nowMs(): number;
  /** Unix time in milliseconds with a fraction. For stamps and for people, never for durations. */
  wallMs(): number;
  /** Calls `action` once, `delayMs` from now (0 = as soon as the current event is done). The name is for diagnosis. */
  after(name: string, delayMs: number, action: () => void): Timer;
}
