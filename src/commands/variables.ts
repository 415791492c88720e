const DATABASE = ['DATABASE_URL', 'DATABASE_URL_FILE'];
const HASHING = [
  ...['PASSWORD_HASHING', 'BCRYPT_COST', 'BCRYPT_PEPPER', 'BCRYPT_PEPPER_FILE'],
  ...['BCRYPT_PEPPER_PREVIOUS', 'BCRYPT_PEPPER_PREVIOUS_FILE'],
];
const LIMITS = ['THROTTLE_EMAIL_ADDRESS', 'THROTTLE_ADDRESS', 'THROTTLE_EMAIL'];

/** The variables that commands read, for their help. docs/configuration.md describes them. */
export const VARIABLES = {
  serve: [
    ...['HOST', 'PORT', ...DATABASE, 'DATABASE_POOL_MAX', 'JWT_SECRET', 'JWT_SECRET_FILE', 'JWT_KEYS', 'JWT_KEYS_FILE'],
    ...['JWT_SECRET_PREVIOUS', 'JWT_SECRET_PREVIOUS_FILE', 'ADMIN_TOKENS', 'ADMIN_TOKENS_FILE'],
    ...[
      'JWT_ISSUER',
      'JWT_AUDIENCE',
      'TOKEN_TTL_SECONDS',
      'REFRESH_TOKEN_TTL_SECONDS',
      'SESSION_TTL_SECONDS',
      'PASSWORD_MIN_LENGTH',
      ...HASHING,
    ],
    ...[...LIMITS, 'HASH_QUEUE_MAX', 'HASH_WAIT_MAX_MS'],
    ...['UV_THREADPOOL_SIZE', 'LOG_LEVEL', 'CORS_ORIGINS', 'TRUST_PROXY', 'SHUTDOWN_DELAY_SECONDS'],
    ...['METRICS_PORT', 'METRICS_HOST', 'OTEL_…'],
  ],
  migrate: DATABASE,
  health: ['HOST', 'PORT'],
  users: [...DATABASE, 'PASSWORD_MIN_LENGTH', ...HASHING, ...LIMITS],
  keys: ['JWT_KEYS_FILE', 'TOKEN_TTL_SECONDS'],
};

/** The end of a command's help. */
export function describeVariables(command: keyof typeof VARIABLES): string {
  const lines = [''];
  for (const name of VARIABLES[command]) {
    const line = `${lines.at(-1)} ${name}`;
    if (line.length <= 78) lines[lines.length - 1] = line;
    else lines.push(` ${name}`);
  }
  return `\nEnvironment variables:\n${lines.map((line) => ` ${line}`).join('\n')}`;
}
