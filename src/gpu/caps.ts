// What an adapter can do, as plain data: kernels choose variants from it, the API shows it, tests make up their own.

/** How an adapter computes: real GPUs want workgroups and barriers, CPU drivers one row per thread and neither. */
export type DeviceClass = "gpu" | "cpu";

export interface Caps {
  readonly vendor: string;
  readonly architecture: string;
  readonly description: string;
  readonly deviceClass: DeviceClass;
  /** Whether shaders run on the CPU, whatever class of program was chosen: its compilers must not unroll. */
  readonly software: boolean;
  /** The `shader-f16` feature. */
  readonly f16: boolean;
  /** Subgroup size range of an adapter that offers them. No device asks for them: no kernel uses them yet. */
  readonly subgroups: { readonly min: number; readonly max: number } | undefined;
  readonly packedDot: boolean;
  readonly maxWorkgroupInvocations: number;
  readonly maxWorkgroupStorageBytes: number;
  /** Largest bound range; tensors above it are split by rows. */
  readonly maxBindingBytes: number;
  readonly maxBufferBytes: number;
  readonly maxStorageBuffers: number;
}
