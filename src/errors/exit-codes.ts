/** Exit codes of the process: those of sysexits.h, and 1 for other failures. */
export const EXIT = {
  FAILED: 1,
  USAGE: 64,
  DATAERR: 65,
  NOINPUT: 66,
  NOUSER: 67,
  UNAVAILABLE: 69,
  SOFTWARE: 70,
  OSERR: 71,
  CANTCREAT: 73,
  IOERR: 74,
  TEMPFAIL: 75,
  NOPERM: 77,
  CONFIG: 78,
} as const;

const MEANINGS: { [Code in (typeof EXIT)[keyof typeof EXIT]]: string } = {
  [EXIT.FAILED]:
    'a second signal, a bug, or requests that took longer than 20 s to finish (serve); not alive (health); canceled, or not confirmed (users)',
  [EXIT.USAGE]: 'the command line is wrong',
  [EXIT.DATAERR]: 'the input is refused: an email, a password, a key, a file, or some of its rows',
  [EXIT.NOINPUT]: 'the file can’t be read',
  [EXIT.NOUSER]: 'there is no such user',
  [EXIT.UNAVAILABLE]: 'the database does not answer',
  [EXIT.SOFTWARE]: 'a bug in the service',
  [EXIT.OSERR]: 'the service can’t listen on HOST and PORT, or on METRICS_HOST and METRICS_PORT',
  [EXIT.CANTCREAT]: 'a file can’t be created',
  [EXIT.IOERR]: 'a disk is full, or fails',
  [EXIT.TEMPFAIL]: 'the SQLite file is missing, or has been replaced; too early, or another command is running (keys)',
  [EXIT.NOPERM]: 'PostgreSQL refuses the password or the role, has no such database, or refuses a right',
  [EXIT.CONFIG]: 'a variable is wrong, or the service can’t use this database',
};

/** What each means, for `--help` and docs/commands.md. */
export function exitCodes(): [code: string, meaning: string][] {
  return Object.entries(MEANINGS);
}

/** What `--json` calls an exit code: its name in sysexits.h in lower case, `failed`, or `signal`. */
export function nameOfExitCode(exitCode: number): string {
  const [name] = Object.entries(EXIT).find(([, code]) => code === exitCode) ?? ['signal'];
  return name.toLowerCase();
}
