// Asks the GPU for memory without using it: how much of a need it would give. Real GPUs hand out memory that nobody touched; software
// adapters are not asked, since one of them (SwiftShader) writes every byte of it, 2 seconds for each GiB, and another (lavapipe)
// promises more than the machine has.

import { alignUp } from "../base/math.ts";
import { throwIfAborted } from "../base/errors.ts";
import { storageUsage } from "../gpu/buffers.ts";
import { openDevice } from "../gpu/device.ts";
import type { MemoryTrial } from "./verdict.ts";

/** Largest piece that is asked for; a refused one is halved down to the smallest. */
const mostPieceBytes = 1 << 30;
const leastPieceBytes = 8 << 20;

/** Of what the browser says the machine has, for everything else that runs on it. */
const hostShare = 0.5;

/**
 * How much memory there is for a need, up to twice as much.
 *
 * @throws {ShaderloomError} GPU.unavailable, GPU.device, AbortError
 */
export async function tryMemory(gpu: GPU | undefined, needBytes: number, signal?: AbortSignal): Promise<MemoryTrial> {
  throwIfAborted(signal);
  const opened = await openDevice(gpu);
  try {
    if (opened.caps.software) return hostMemory(2 * needBytes);
    const givenBytes = await takeMemory(opened.device, { wantedBytes: 2 * needBytes, maxBufferBytes: opened.caps.maxBufferBytes, signal });
    return { source: "gpu", givenBytes };
  } finally {
    opened.destroy();
  }
}

export interface TakeOptions {
  readonly wantedBytes: number;
  readonly maxBufferBytes: number;
  readonly signal?: AbortSignal | undefined;
}

/** Bytes that a device gave, at most `wantedBytes`; nothing of it is kept. */
export async function takeMemory(device: GPUDevice, { wantedBytes, maxBufferBytes, signal }: TakeOptions): Promise<number> {
  const most = Math.min(mostPieceBytes, Math.floor(maxBufferBytes / 4) * 4);
  const taken: GPUBuffer[] = [];
  let given = 0;
  // A device that is lost for want of memory gives no more.
  let lost = false;
  void device.lost.then(() => {
    lost = true;
  });
  try {
    let piece = most;
    while (piece >= Math.min(leastPieceBytes, wantedBytes / 64) && given < wantedBytes) {
      throwIfAborted(signal);
      const size = alignUp(Math.min(Math.floor(piece), wantedBytes - given), 4);
      const buffer = await takePiece(device, size);
      if (lost) break;
      if (buffer) {
        taken.push(buffer);
        given += size;
      } else {
        // A last piece may be smaller than those before it.
        piece = Math.min(piece, size) / 2;
      }
    }
  } finally {
    for (const buffer of taken) buffer.destroy();
  }
  return Math.min(given, wantedBytes);
}

async function takePiece(device: GPUDevice, size: number): Promise<GPUBuffer | undefined> {
  device.pushErrorScope("out-of-memory");
  device.pushErrorScope("validation");
  let buffer: GPUBuffer | undefined;
  try {
    buffer = device.createBuffer({ label: "trial", size, usage: storageUsage });
  } catch {
    // Browsers throw a RangeError for sizes they refuse outright.
  }
  const refused = await Promise.all([device.popErrorScope(), device.popErrorScope()]).then(
    (errors) => errors.some((error) => error !== null),
    () => true,
  );
  if (!refused) return buffer;
  buffer?.destroy();
  return undefined;
}

/** The memory of a machine whose CPU computes, as far as it is told. */
function hostMemory(wantedBytes: number): MemoryTrial {
  const bytes = hostBytes();
  return bytes === undefined ? { source: "none", givenBytes: wantedBytes } : { source: "host", givenBytes: Math.min(bytes, wantedBytes) };
}

/** What some places tell of the machine. */
interface Host {
  readonly navigator?: { readonly deviceMemory?: number; readonly gpu?: GPU };
  readonly process?: { availableMemory?(): number };
}

function host(): Host {
  return globalThis;
}

/** Bytes that this machine can spare; undefined where nothing tells. */
function hostBytes(): number | undefined {
  const { navigator, process } = host();
  // Browsers round it to a power of two and cap it (Device Memory specification).
  if (navigator?.deviceMemory !== undefined) return navigator.deviceMemory * hostShare * 2 ** 30;
  return process?.availableMemory?.();
}
