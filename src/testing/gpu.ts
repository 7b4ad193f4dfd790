// Opens the GPU of the place a test runs in: the browser's, or Dawn in Node on the driver the Vitest project chose.
// Only tests import this room; the runtime takes its GPU from the caller.

import { shareDevices } from "./shared_device.ts";

/** Vitest projects that run in Node set this to "" or to the reason why their driver is absent. */
const REASON = "SHADERLOOM_GPU_SKIP";

interface Keeper {
  shaderloomTestGpu?: GPU | undefined;
  shaderloomSharedGpu?: GPU | undefined;
  process?: { env: Record<string, string | undefined> };
}

function keeper(): Keeper {
  return globalThis;
}

function inBrowser(): boolean {
  return typeof window !== "undefined";
}

/** Why `openTestGpu` gives nothing here; pass it to the test's `skip`. */
export function skipReason(): string {
  if (inBrowser()) return "this browser has no WebGPU adapter";
  return keeper().process?.env[REASON] || "Dawn finds no Vulkan adapter here";
}

/**
 * The GPU under test, or undefined where there is none (then skip with `skipReason()`).
 *
 * Dawn crashes the process when the object that made the devices is collected, hence the reference on globalThis.
 */
export async function openTestGpu(): Promise<GPU | undefined> {
  const held = keeper();
  if (held.shaderloomTestGpu !== undefined) return held.shaderloomTestGpu;
  const gpu = inBrowser() ? navigator.gpu : await openDawn(held);
  if (gpu === undefined || (await gpu.requestAdapter()) === null) return undefined;
  held.shaderloomTestGpu = gpu;
  return gpu;
}

async function openDawn(held: Keeper): Promise<GPU | undefined> {
  if (held.process?.env[REASON] !== "") return undefined;
  const { create, globals } = await import("webgpu");
  Object.assign(globalThis, globals);
  const gpu = create([]);
  held.shaderloomTestGpu = gpu;
  return gpu;
}

/** What a test's context offers (Vitest's `TestContext`). */
export interface Skipper {
  skip(note?: string): never;
}

/** The GPU under test, with devices that are shared by all tests of a file and compile each text once. */
export async function sharedGpuOrSkip(context: Skipper): Promise<GPU> {
  const gpu = await gpuOrSkip(context);
  const held = keeper();
  held.shaderloomSharedGpu ??= shareDevices(gpu);
  return held.shaderloomSharedGpu;
}

/** The GPU under test; skips the calling test, with the reason, where there is none. */
export async function gpuOrSkip(context: Skipper): Promise<GPU> {
  return (await openTestGpu()) ?? context.skip(skipReason());
}
