const OPTIONS = { fatal: true, ignoreBOM: true };
const DECODER = new TextDecoder('utf-8', OPTIONS);

/** Decodes UTF-8; undefined where the bytes are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return DECODER.decode(bytes);
  } catch {
    return undefined;
  }
}

export type Utf8Check = {
  push(chunk: Uint8Array): void;
  /** Whether all chunks together are UTF-8. */
  isWhole(): boolean;
};

/** Checks bytes that come in chunks. */
export function createUtf8Check(): Utf8Check {
  const decoder = new TextDecoder('utf-8', OPTIONS);
  let valid = true;
  const decode = (chunk?: Uint8Array) => {
    try {
      decoder.decode(chunk, { stream: chunk !== undefined });
    } catch {
      valid = false;
    }
  };
  return {
    push: (chunk) => decode(chunk),
    isWhole() {
      decode();
      return valid;
    },
  };
}
