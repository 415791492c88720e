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
