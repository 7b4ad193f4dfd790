// Sealed values: small plain data as one line of ASCII that carries a checksum over itself and its key. A flipped bit, a value
// under another's key and a cut-off value are all seen. Knows nothing of what the values mean.

import { checksum64 } from "./hash.ts";

/** @param value plain JSON data */
export async function seal(key: string, value: unknown): Promise<string> {
  // Escaped, because lone surrogates and U+FFFD have the same UTF-8 and a checksum could not tell them apart.
  const json = JSON.stringify(value).replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return `${await checksumOf(key, json)}${json}`;
}

/** @returns undefined when this is not what `seal` made for this key */
export async function unseal(key: string, stored: unknown): Promise<unknown> {
  if (typeof stored !== "string" || !/^[0-9a-f]{16}[\x20-\x7e]+$/.test(stored)) return undefined;
  const json = stored.slice(16);
  if ((await checksumOf(key, json)) !== stored.slice(0, 16)) return undefined;
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function checksumOf(key: string, json: string): Promise<string> {
  return checksum64(new TextEncoder().encode(`${key}\n${json}`));
}
