/** Exit status for a bad configuration (sysexits.h): what systemd's `RestartPreventExitStatus` can tell apart. */
export const EX_CONFIG = 78;
