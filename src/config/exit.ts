/** Exit status for a bad configuration (sysexits.h): what systemd's `RestartPreventExitStatus` can tell apart. */
export const EX_CONFIG = 78;
/** Exit status for a privilege that is missing (sysexits.h): like a bad configuration, no new start mends it. */
export const EX_NOPERM = 77;
