// An adapter that never was, for tests of what is decided from capabilities alone: those that care spread their own over it.

import type { Caps } from "../gpu/caps.ts";

/** The limits that WebGPU promises, f16 and bytes multiplied with bytes; no subgroups. */
export const plainCaps: Caps = {
  vendor: "any",
  architecture: "any",
  description: "a plain adapter",
  deviceClass: "gpu",
  software: false,
  f16: true,
  subgroups: undefined,
  subgroupMatrix: [],
  packedDot: true,
  maxWorkgroupInvocations: 256,
  maxWorkgroupStorageBytes: 16384,
  maxBindingBytes: 2 ** 27,
  maxBufferBytes: 2 ** 28,
  maxStorageBuffers: 8,
};
