// Adapter and device: negotiated limits, capabilities as plain data, errors and loss as one typed error. Works from
// `navigator.gpu` in a page or worker and from an injected `GPU` object (Node).

import { ShaderloomError } from "../base/errors.ts";
import type { Caps, DeviceClass, SubgroupMatrix } from "./caps.ts";

export interface OpenDeviceOptions {
  /** Forces how the adapter is programmed; the GPU program runs on CPU drivers too, only slower. */
  readonly deviceClass?: DeviceClass | undefined;
  /** Storage buffers to ask for per stage; tests ask for exactly 8, the portable limit. */
  readonly maxStorageBuffers?: number;
  /** Lowers the largest bound range, so that splitting by rows can be tested on small models. */
  readonly maxBindingBytes?: number | undefined;
}

/** A device, what it can do, and how it ends. `destroy()` is the owner's to call. */
export interface OpenDevice {
  readonly device: GPUDevice;
  readonly caps: Caps;
  /** Called once when the device is lost or an error outside any scope arrives; later listeners get it at once. */
  onFailure(listener: (error: ShaderloomError) => void): void;
  destroy(): void;
}

/** CPU drivers report themselves as fallback adapters or by these architectures and descriptions. */
const cpuDriver = /swiftshader|llvmpipe|lavapipe|software|basic render/i;

/** Proposed names are not in the types. */
const subgroupMatrixFeature = "chromium-experimental-subgroup-matrix";
const wantedFeatures: readonly string[] = ["shader-f16", "subgroups", "timestamp-query", subgroupMatrixFeature];

/** @throws {ShaderloomError} GPU.unavailable when there is no WebGPU or no adapter */
export async function requestAdapter(gpu: GPU | undefined): Promise<GPUAdapter> {
  if (!gpu) {
    throw new ShaderloomError(
      "GPU.unavailable",
      "This browser offers no WebGPU. Use a current Chrome, Edge, Firefox or Safari, over https or on localhost.",
    );
  }
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (!adapter) {
    throw new ShaderloomError(
      "GPU.unavailable",
      "WebGPU is present but gives no adapter. Turn on hardware acceleration in the browser's settings, or reload the page after a GPU crash.",
      { retryable: true },
    );
  }
  return adapter;
}

/** Capabilities of an adapter, with the limits that a device made by `openDevice` will have. */
export function readCaps(adapter: GPUAdapter, options: OpenDeviceOptions = {}): Caps {
  const { info, limits, features } = adapter;
  const description = info.description ?? "";
  const software = info.isFallbackAdapter || cpuDriver.test(`${info.vendor} ${info.architecture} ${description}`);
  const binding = Math.min(limits.maxStorageBufferBindingSize, options.maxBindingBytes ?? Number.POSITIVE_INFINITY);
  return {
    vendor: info.vendor ?? "",
    architecture: info.architecture ?? "",
    description,
    deviceClass: options.deviceClass ?? (software ? "cpu" : "gpu"),
    software,
    f16: features.has("shader-f16"),
    subgroups: features.has("subgroups") ? { min: info.subgroupMinSize ?? 4, max: info.subgroupMaxSize ?? 128 } : undefined,
    subgroupMatrix: features.has(subgroupMatrixFeature) ? subgroupMatrices(info) : [],
    packedDot: true, // a WGSL language feature: dot4I8Packed is polyfilled by every implementation that lacks it
    maxWorkgroupInvocations: Math.min(limits.maxComputeInvocationsPerWorkgroup, 256),
    maxWorkgroupStorageBytes: limits.maxComputeWorkgroupStorageSize,
    // Row groups and offsets are 256-byte units, so that bound ranges stay aligned.
    maxBindingBytes: Math.floor(binding / 256) * 256,
    maxBufferBytes: limits.maxBufferSize,
    maxStorageBuffers: options.maxStorageBuffers ?? 8,
  };
}

interface MatrixConfig {
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

function subgroupMatrices(info: GPUAdapterInfo & { readonly subgroupMatrixConfigs?: readonly MatrixConfig[] }): SubgroupMatrix[] {
  return (info.subgroupMatrixConfigs ?? []).map(({ componentType, resultComponentType, M, N, K }) => ({
    component: componentType,
    result: resultComponentType,
    m: M,
    n: N,
    k: K,
  }));
}

/** Opens a device with the adapter's own limits and the features that kernels know how to use. */
export async function openDevice(gpu: GPU | undefined, options: OpenDeviceOptions = {}): Promise<OpenDevice> {
  const adapter = await requestAdapter(gpu);
  const caps = readCaps(adapter, options);
  const { limits } = adapter;
  let device: GPUDevice;
  try {
    device = await adapter.requestDevice({
      requiredFeatures: wantedFeatures.filter((name): name is GPUFeatureName => adapter.features.has(name)),
      requiredLimits: {
        maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
        maxBufferSize: limits.maxBufferSize,
        maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
        maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
        maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX,
        maxStorageBuffersPerShaderStage: caps.maxStorageBuffers,
      },
    });
  } catch (cause) {
    throw new ShaderloomError("GPU.device", "The adapter refused to open a device. Close other tabs that use the GPU and try again.", {
      retryable: true,
      cause,
    });
  }
  return watch(device, caps);
}

/** Turns loss and uncaptured errors into one failure that reaches every listener once. */
function watch(device: GPUDevice, caps: Caps): OpenDevice {
  let failure: ShaderloomError | undefined;
  let closed = false;
  const listeners: Array<(error: ShaderloomError) => void> = [];
  const fail = (error: ShaderloomError): void => {
    if (failure || closed) return;
    failure = error;
    for (const listener of listeners) listener(error);
  };
  device.addEventListener?.("uncapturederror", (event) => {
    const { message } = event.error;
    fail(new ShaderloomError("GPU.error", `The GPU reported an error: ${message} Load the model again.`, { retryable: true }));
  });
  void device.lost.then((info) => {
    // `destroy()` by the owner is a normal end, not a failure.
    const detail = { reason: info.reason ?? "unknown", info: info.message };
    fail(new ShaderloomError("GPU.lost", "The browser lost the GPU device. Load the model again.", { retryable: true, detail }));
  });
  return {
    device,
    caps,
    onFailure(listener) {
      if (failure) listener(failure);
      else listeners.push(listener);
    },
    destroy() {
      closed = true;
      device.destroy();
    },
  };
}
