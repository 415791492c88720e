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
  // One buffer: chunks may have a byte each, and an object for each would take hundreds.
  let kept = Buffer.alloc(0);
  let length = 0;
  return {
    push(chunk) {
      const start = length;
      length += chunk.length;
      if (length > limit) return;
      if (length > kept.length) kept = Buffer.concat([kept], Math.min(limit, 2 * length));
      chunk.copy(kept, start);
    },
    isWhole: () => isUtf8(kept.subarray(0, length)),
  };
}
