const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Decodes UTF-8; undefined where the bytes are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return DECODER.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Whether text has neither a replacement character nor a lone surrogate: all of it was decoded. */
export function isDecoded(text: string): boolean {
  return text.isWellFormed() && !text.includes('\ufffd');
}
