// Counts what went wrong and was mended, so that no retry or repair stays unseen. One object for each load, handed to whoever may count.

/** Counters since the load began. All zero means: nothing happened that a user would not expect. */
export interface StoreDiagnostics {
  /** Bytes that came over the network, whatever became of them. */
  networkBytes: number;
  /** Bytes that came out of the store and were right. */
  storedBytes: number;
  /** Requests that were sent again after a failure. */
  retries: number;
  /** Stored chunks whose bytes or record were damaged or gone; each was dropped and fetched again. */
  damagedChunks: number;
  /** Downloaded chunks that were not what was promised and were fetched again. */
  refusedChunks: number;
  /** Manifests that could not be read and were made anew. */
  damagedManifests: number;
  /** Writes refused for want of room; from the first on, the load goes on from memory. */
  quotaRefusals: number;
  /** Times that the store's connection was lost and opened again. */
  reconnects: number;
  /** Times that the store gave up and the load went on without it. */
  storeFailures: number;
  /** Models deleted to make room, because the caller allowed it. */
  evictions: number;
}

export function noDiagnostics(): StoreDiagnostics {
  return {
    networkBytes: 0,
    storedBytes: 0,
    retries: 0,
    damagedChunks: 0,
    refusedChunks: 0,
    damagedManifests: 0,
    quotaRefusals: 0,
    reconnects: 0,
    storeFailures: 0,
    evictions: 0,
  };
}
