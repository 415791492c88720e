import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';

/** The values that pg knows: it verifies the certificate and the host's name with all but the first two. */
const SSLMODES = ['disable', 'no-verify', 'prefer', 'require', 'verify-ca', 'verify-full'];
const SSL = ['true', '1', '0', 'no-verify'];
/** Parameters that name files, by what TLS takes from them. */
const FILES = { ca: 'sslrootcert', cert: 'sslcert', key: 'sslkey' };
const OF_TLS = ['ssl', 'sslmode', 'sslnegotiation', ...Object.values(FILES)];
/** Those of pg, and `pgbouncer`, which is Prisma's. */
const OTHERS = [
  ...[
    'host',
    'port',
    'user',
    'password',
    'application_name',
    'fallback_application_name',
    'client_encoding',
    'options',
  ],
  ...['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'query_timeout'],
  ...['replication', 'uselibpqcompat', 'pgbouncer'],
];

/**
 * Checks the parameters of a URL that decide on TLS: pg ignores those that it does not know, and connects in clear.
 *
 * @returns what is wrong; undefined where nothing is. It quotes no value
 */
export function tlsFaultOf(href: string): string | undefined {
  const { searchParams } = new URL(href);
  for (const name of searchParams.keys()) {
    if (/^ssl/i.test(name) && !OF_TLS.includes(name))
      return `must not have ${nameOf(name)}: of those that begin with ssl, ${OF_TLS.join(', ')} are known`;
  }
  const sslmode = searchParams.get('sslmode');
  if (sslmode !== null && !SSLMODES.includes(sslmode)) return `must have one of ${SSLMODES.join(', ')} as sslmode`;
  const ssl = searchParams.get('ssl');
  if (ssl !== null && !SSL.includes(ssl)) return `must have one of ${SSL.join(', ')} as ssl`;
  return filesFaultOf(searchParams);
}

function filesFaultOf(parameters: URLSearchParams): string | undefined {
  const contents: { [option: string]: Buffer } = {};
  for (const [option, name] of Object.entries(FILES)) {
    const file = parameters.get(name);
    if (!file) continue;
    try {
      contents[option] = readFileSync(file);
    } catch (error) {
      const [reason] = error instanceof Error ? error.message.split(',', 1) : [];
      return `must name a file that can be read as ${name}: ${reason}`;
    }
  }
  if ((contents.cert === undefined) !== (contents.key === undefined))
    return 'must have both sslcert and sslkey, or neither';
  try {
    // TLS ignores authorities that it can't read.
    if (contents.ca) new X509Certificate(contents.ca);
    createSecureContext(contents);
    return undefined;
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? error.code : error;
    return `must name PEM files as ${Object.values(FILES).join(', ')}, sslkey without a passphrase and that of sslcert: ${reason}`;
  }
}

/** Warnings of the parameters that pg ignores. */
export function parameterWarningsOf(href: string): string[] {
  const names = [...new URL(href).searchParams.keys()];
  const ignored = names.filter((name) => !OF_TLS.includes(name) && !OTHERS.includes(name));
  return ignored.map((name) => `DATABASE_URL: ${nameOf(name)} is ignored: the service does not know it`);
}

/**
 * The URL with `verify-full` in place of modes that pg takes for it today, and warns of: in pg 9 they will verify less.
 * `uselibpqcompat` asks for libpq's meaning.
 */
export function withVerifyFull(href: string): string {
  if (new URL(href).searchParams.get('uselibpqcompat') === 'true') return href;
  return href.replace(/([?&]sslmode=)(?:prefer|require|verify-ca)(?=[&#]|$)/, '$1verify-full');
}

/** A name may be a part of a password in which a ? is not percent-encoded. */
function nameOf(parameter: string): string {
  return /^\w+$/.test(parameter) ? `the parameter ${parameter}` : 'a parameter';
}
