// The whole body of a server without byte ranges, in a Blob, whose bytes are the browser's, who may put them on disk. Nothing can be
// resumed there: a failure starts from the first byte.

import type { HttpContext } from "./context.ts";
import { endedEarly, tooLarge } from "./errors.ts";
import { contentLength, refuseWebPage } from "./headers.ts";
import type { Transfer } from "./transfer.ts";

/** Loose runs would all stay in our heap. */
const looseBytes = 8 << 20;

/**
 * @returns `exact` when the server said how long the body is and it was; otherwise an early end could not be told from the end
 * @throws {ShaderloomError} NET.*, SOURCE.html, LIMIT.memory or AbortError
 */
export async function readWhole(context: HttpContext, transfer: Transfer): Promise<{ blob: Blob; exact: boolean }> {
  const { name, maxBufferedBytes, onReceive } = context;
  const announced = contentLength(transfer.response);
  if (announced !== undefined && announced > maxBufferedBytes) {
    transfer.cancel();
    throw tooLarge(name, maxBufferedBytes);
  }
  let parts: BlobPart[] = [];
  let received = 0;
  let loose = 0;
  for await (const run of transfer.chunks()) {
    if (received === 0) refuseWebPage(name, transfer.response, run);
    received += run.length;
    if (received > maxBufferedBytes) throw tooLarge(name, maxBufferedBytes);
    parts.push(run.slice());
    loose += run.length;
    if (loose > looseBytes) [parts, loose] = [[new Blob(parts)], 0];
    // More than announced means that an encoding was taken off where CORS hides its header, so the length was of something else.
    onReceive?.(received, announced !== undefined && received <= announced ? announced : undefined);
  }
  if (announced !== undefined && received < announced) throw endedEarly(name, received, announced);
  return { blob: new Blob(parts), exact: received === announced };
}
