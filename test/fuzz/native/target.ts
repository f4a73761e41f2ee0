/** What run.ts drives: one part of the addon, fed nonsense round by round. A finding is thrown, or ends the process. */
export interface NativeFuzzer {
  round(): void | Promise<void>;
  /** What came of it, for the last line. */
  report(): string;
  close(): void;
}
