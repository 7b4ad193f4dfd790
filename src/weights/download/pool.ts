// What all downloads of one load share: chunk buffers, so that memory stays bounded whatever the model's size, and requests in flight.
// Who asks for a chunk that a reader waits for comes first, and two buffers are kept for them: otherwise chunks fetched ahead could take all
// and the awaited one would never come.

import { assert, throwIfAborted } from "../../base/errors.ts";
import { chunkBytes as storeChunkBytes } from "../../store/chunk_store.ts";
import { createWatch } from "./watch.ts";

export interface DownloadPoolOptions {
  /** Most chunk buffers, for assembly, the window and writes together; 6. */
  readonly buffers?: number;
  /** Most requests in flight for bytes that are fetched ahead; 4. Browsers have six connections to a host of HTTP/1.1, for all tabs. */
  readonly requests?: number;
  readonly chunkBytes?: number;
}

/** A download that wants to be told when it may have got room. */
export interface PoolClient {
  /** Whether a reader waits for it. */
  urgent(): boolean;
  pump(): void;
}

const reservedBuffers = 2;
/** Beyond `requests`, for chunks that a reader waits for. */
const urgentRequests = 2;

export class DownloadPool {
  readonly chunkBytes: number;
  /** When bytes last came, for the idle timers of requests that wait in the browser's queue. */
  readonly activity: { at: number } = { at: -Infinity };
  readonly #buffers: number;
  #requests: number;
  #inFlight = 0;
  #allocated = 0;
  readonly #free: Array<Uint8Array<ArrayBuffer>> = [];
  /** Buffers of a window that nobody needs just now, longest unused first, with what makes the window forget them. */
  readonly #idle = new Map<Uint8Array<ArrayBuffer>, () => void>();
  readonly #clients = new Set<PoolClient>();
  #waking = false;
  readonly #watch = createWatch();

  constructor({ buffers = 6, requests = 4, chunkBytes = storeChunkBytes }: DownloadPoolOptions = {}) {
    this.#buffers = Math.max(buffers, reservedBuffers + 1);
    this.#requests = requests;
    this.chunkBytes = chunkBytes;
  }

  /** Buffers that `tryTake` could give. */
  get available(): number {
    return this.#buffers - this.#allocated + this.#free.length + this.#idle.size;
  }

  /** Whether a buffer can be given for a chunk that no reader waits for. */
  get roomy(): boolean {
    return this.available > reservedBuffers;
  }

  /** Whether a buffer that is in use now may stay in use without touching what is reserved for readers. */
  get keepable(): boolean {
    return this.available >= reservedBuffers;
  }

  /** A buffer of `chunkBytes`, or undefined when there is none to spare. */
  tryTake(urgent: boolean): Uint8Array<ArrayBuffer> | undefined {
    if (!urgent && !this.roomy) return undefined;
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#allocated < this.#buffers) {
      this.#allocated++;
      return new Uint8Array(this.chunkBytes);
    }
    for (const [buffer, forget] of this.#idle) {
      this.#idle.delete(buffer);
      forget();
      return buffer;
    }
    return undefined;
  }

  /** Waits for a buffer. `urgent` and `enough` are asked again with each change; the latter ends the wait without one. */
  async take(signal: AbortSignal | undefined, urgent: () => boolean, enough?: () => boolean): Promise<Uint8Array<ArrayBuffer> | undefined> {
    for (;;) {
      throwIfAborted(signal);
      const buffer = this.tryTake(urgent());
      if (buffer !== undefined || enough?.() === true) return buffer;
      await this.#watch.change(signal);
    }
  }

  give(buffer: Uint8Array<ArrayBuffer>): void {
    this.#free.push(buffer);
    this.notify();
  }

  /** Lends a buffer's bytes to a window until somebody else needs it. */
  lend(buffer: Uint8Array<ArrayBuffer>, forget: () => void): void {
    this.#idle.set(buffer, forget);
    this.notify();
  }

  /** Takes a lent buffer back for its window. */
  reclaim(buffer: Uint8Array<ArrayBuffer>): void {
    this.#idle.delete(buffer);
  }

  /** Whether a request could start now: no request starts without a buffer for its bytes. */
  canStart(urgent: boolean): boolean {
    const most = this.#requests + (urgent ? urgentRequests : 0);
    return this.#inFlight < most && (urgent ? this.available > 0 : this.roomy);
  }

  /** Takes a place among the requests and a buffer. Only after `canStart`. */
  start(urgent: boolean): Uint8Array<ArrayBuffer> {
    const buffer = this.tryTake(urgent);
    assert(buffer !== undefined, "a request starts with a buffer");
    this.#inFlight++;
    return buffer;
  }

  endRequest(): void {
    this.#inFlight--;
    this.notify();
  }

  /** A server that asks for fewer requests gets fewer, for the rest of the load. */
  slowDown(): void {
    this.#requests = Math.max(this.#requests >> 1, 1);
  }

  /** Calls the client whenever there may be room, until it leaves. */
  join(client: PoolClient): void {
    this.#clients.add(client);
  }

  leave(client: PoolClient): void {
    this.#clients.delete(client);
    this.notify();
  }

  /** Lets everybody who waits look again, soon. */
  notify(): void {
    if (this.#waking) return;
    this.#waking = true;
    queueMicrotask(() => {
      this.#waking = false;
      this.#watch.tell();
      const clients = [...this.#clients];
      for (const client of clients) if (client.urgent()) client.pump();
      for (const client of clients) if (!client.urgent()) client.pump();
    });
  }
}
