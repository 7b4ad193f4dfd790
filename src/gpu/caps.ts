// What an adapter can do, as plain data: kernels choose variants from it, the API shows it, tests make up their own.

/** How an adapter computes: real GPUs want workgroups and barriers, CPU drivers one row per thread and neither. */
export type DeviceClass = "gpu" | "cpu";

/** One product [M, K] x [K, N] that an adapter computes in hardware. */
export interface SubgroupMatrix {
  readonly component: string;
  readonly result: string;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

export interface Caps {
  readonly vendor: string;
  readonly architecture: string;
  readonly description: string;
  readonly deviceClass: DeviceClass;
  /** Whether shaders run on the CPU, whatever class of program was chosen: its compilers must not unroll. */
  readonly software: boolean;
  /** The `shader-f16` feature. */
  readonly f16: boolean;
  /** Sizes of subgroups, where shaders may use them. */
  readonly subgroups: { readonly min: number; readonly max: number } | undefined;
  /** Tile sizes of products of whole subgroups (`chromium-experimental-subgroup-matrix`), a proposal; empty almost everywhere. */
  readonly subgroupMatrix: readonly SubgroupMatrix[];
  readonly packedDot: boolean;
  readonly maxWorkgroupInvocations: number;
  readonly maxWorkgroupStorageBytes: number;
  /** Largest bound range; tensors above it are split by rows. */
  readonly maxBindingBytes: number;
  readonly maxBufferBytes: number;
  readonly maxStorageBuffers: number;
}
