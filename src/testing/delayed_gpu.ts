// A GPU that tells late that work is done, as browsers do that look on a timer (Firefox: every 100 ms). What it computes, and when, stays.

import { overlay } from "./watched_gpu.ts";

export interface Delay {
  /** How late a promise of the GPU resolves. */
  readonly lateMs?: number;
  /** Promises resolve at multiples of this time only. */
  readonly tickMs?: number;
}

/** @param delay  milliseconds, or more */
export function delayGpu(gpu: GPU, delay: number | Delay): GPU {
  const wait = waitFor(typeof delay === "number" ? { lateMs: delay } : delay);
  return overlay(gpu, {
    async requestAdapter(options) {
      const adapter = await gpu.requestAdapter(options);
      if (!adapter) return null;
      const requestDevice: GPUAdapter["requestDevice"] = async (descriptor) => delayDevice(await adapter.requestDevice(descriptor), wait);
      return overlay(adapter, { requestDevice });
    },
  });
}

type Wait = () => Promise<void>;

function waitFor({ lateMs = 0, tickMs = 0 }: Delay): Wait {
  return () => {
    const due = performance.now() + lateMs;
    const at = tickMs > 0 ? Math.ceil(due / tickMs) * tickMs : due;
    return new Promise((resolve) => void setTimeout(resolve, at - performance.now()));
  };
}

function delayDevice(device: GPUDevice, wait: Wait): GPUDevice {
  const queue = overlay(device.queue, {
    async onSubmittedWorkDone() {
      await device.queue.onSubmittedWorkDone();
      await wait();
      return undefined;
    },
  });
  return overlay(device, {
    queue,
    createBuffer(descriptor) {
      const buffer = device.createBuffer(descriptor);
      const map = buffer.mapAsync.bind(buffer);
      // Other methods take buffers as they are, so the buffer itself is changed and not wrapped.
      Object.defineProperty(buffer, "mapAsync", {
        value: async (...args: Parameters<GPUBuffer["mapAsync"]>): Promise<undefined> => {
          await map(...args);
          await wait();
          return undefined;
        },
      });
      return buffer;
    },
  });
}
