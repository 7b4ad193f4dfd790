// Uploads with back-pressure: `writeBuffer` copies into staging memory at once, so an unbounded run of writes would hold a
// second copy of the model.

/** Bytes that may wait in the queue before the next upload waits for the GPU. */
const maxPendingBytes = 64 * 1024 * 1024;
/** Likewise, of a budget: what waits is held by the browser, beside what the budget counts. */
const pendingShare = 1 / 8;

/** Writes bytes to a buffer; resolves at once while little is pending, else when the queue has caught up. */
export type Upload = (buffer: GPUBuffer, offset: number, bytes: Uint8Array<ArrayBuffer>) => Promise<void>;

export function createUpload(queue: GPUQueue, budget: number = Infinity): Upload {
  const mostPending = Math.min(maxPendingBytes, budget * pendingShare);
  let pending = 0;
  return async (buffer, offset, bytes) => {
    queue.writeBuffer(buffer, offset, bytes);
    pending += bytes.byteLength;
    if (pending < mostPending) return;
    pending = 0;
    await queue.onSubmittedWorkDone();
  };
}
