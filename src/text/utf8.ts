import { isUtf8 } from 'node:buffer';

const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Decodes UTF-8; undefined where the bytes are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return DECODER.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Whether text has no character that stands for bytes, or for half of a surrogate pair, that could not be decoded. */
export function isDecoded(text: string): boolean {
  return text.isWellFormed() && !text.includes('\ufffd');
}

export type Utf8Check = {
  push(chunk: Buffer): void;
  /** Whether all chunks together are UTF-8. */
  isWhole(): boolean;
};

/**
 * Checks bytes that come in chunks. A TextDecoder for each body would cost more than its parser: it is a native object.
 *
 * @param limit - bytes that are kept; a longer body is refused in any case
 */
export function createUtf8Check(limit: number): Utf8Check {
  const chunks: Buffer[] = [];
  let room = limit;
  return {
    push(chunk) {
      room -= chunk.length;
      if (room >= 0) chunks.push(chunk);
    },
    isWhole: () => isUtf8(Buffer.concat(chunks)),
  };
}
