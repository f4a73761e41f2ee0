/** The fuzz targets of the addon, by name (run.ts). */
export const NATIVE_TARGETS = ['addon', 'streams', 'handshakes'] as const;
export type NativeTarget = (typeof NATIVE_TARGETS)[number];
