// Under which address a file is kept: without user, query and fragment, which may hold secrets, and with a hash of what in the query tells
// files apart.

import { sha256 } from "../../store/hash.ts";

/** Parts of a query that sign or date an address and change from visit to visit. */
const signing =
  /^(?:x-amz-.*|x-goog-.*|x-ms-.*|awsaccesskeyid|googleaccessid|signature|sig|se|sp|sv|sr|st|spr|skoid|sktid|expires|policy|key-pair-id|token|access_token|auth|hmac|nonce|timestamp)$/i;

/** Shown, stored and compared: nothing secret is in it. */
export function manifestUrl(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

/** `manifestUrl`, and `?q=` with 16 hex digits where the query says which file is meant. */
export async function addressKey(url: URL): Promise<string> {
  const telling = [...url.searchParams].filter(([name]) => !signing.test(name)).map(([name, value]) => `${name}=${value}`);
  if (telling.length === 0) return manifestUrl(url);
  const hash = await sha256(new TextEncoder().encode(telling.toSorted().join("\n")));
  return `${manifestUrl(url)}?q=${hash.slice(0, 16)}`;
}

/** For people: the last part of the path, without characters that nobody sees and that could make it look like another. */
export function fileName(url: URL): string {
  const last = url.pathname.split("/").findLast((part) => part !== "") ?? url.host;
  try {
    return decodeURIComponent(last).replace(/[\p{Cc}\p{Cf}]/gu, "");
  } catch {
    return last;
  }
}
