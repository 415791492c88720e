import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/** Makes a certificate authority in a directory, as `ca.crt` and `ca.key`. */
export async function createAuthority(directory: string): Promise<void> {
  const subject = ['-subj', '/CN=authority', '-keyout', `${directory}/ca.key`, '-out', `${directory}/ca.crt`];
  await openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', ...subject);
}

/** Makes `NAME.crt` and `NAME.key`, signed by the authority in the directory, for a host or a role. */
export async function createCertificate(directory: string, name: string, commonName: string): Promise<void> {
  const path = `${directory}/${name}`;
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${path}.key`];
  await openssl('req', ...key, '-subj', `/CN=${commonName}`, '-out', `${path}.csr`);
  await writeFile(`${path}.ext`, `subjectAltName=DNS:${commonName}\n`);
  const authority = ['-CA', `${directory}/ca.crt`, '-CAkey', `${directory}/ca.key`, '-CAcreateserial'];
  await openssl('x509', '-req', '-in', `${path}.csr`, ...authority, '-extfile', `${path}.ext`, '-out', `${path}.crt`);
}

async function openssl(...args: string[]): Promise<void> {
  await promisify(execFile)('openssl', args);
}
