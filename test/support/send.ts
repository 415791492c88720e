import { request as httpRequest, type OutgoingHttpHeaders } from 'node:http';

export type Request = {
  method?: string;
  path: string;
  headers?: OutgoingHttpHeaders;
  body?: string | Buffer;
  /** To send it from, where the machine has several. */
  localAddress?: string;
};

export type Reply = {
  status: number;
  /** By name in lower case. */
  headers: { [name: string]: string | undefined };
  /** The names, as often as they came. */
  rawHeaders: string[];
  body: string;
};

export const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
export const JSON_TYPE = { 'content-type': 'application/json' };

/** Sends one request over a connection of its own. */
export function send(url: string, { method = 'GET', path, headers = {}, body, localAddress }: Request): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(`${url}${path}`, { method, headers, localAddress, agent: false }, async (response) => {
      try {
        const chunks = await response.toArray();
        resolve({
          status: response.statusCode ?? 0,
          headers: Object.fromEntries(
            Object.entries(response.headers).map(([name, value]) => [name, value?.toString()]),
          ),
          rawHeaders: response.rawHeaders.filter((_, index) => index % 2 === 0),
          body: Buffer.concat(chunks).toString(),
        });
      } catch (error) {
        reject(error);
      }
    });
    request.on('error', reject);
    request.end(body);
  });
}
