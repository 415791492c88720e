/** Exit codes of the process: those of sysexits.h, and 1 for what it has no code for. */
export const EXIT = {
  FAILED: 1,
  USAGE: 64,
  UNAVAILABLE: 69,
  IOERR: 74,
  TEMPFAIL: 75,
  CONFIG: 78,
} as const;
