// What every kernel derives from its target: the activation type, header and key. No shapes.

import type { Header } from "../gpu/shader.ts";
import type { KernelTarget } from "./kernel.ts";

/** Element type of activation buffers; int8 activations exist only inside matrix products. */
export function actType(target: KernelTarget): "f32" | "f16" {
  return target.precision === "f16" ? "f16" : "f32";
}

/** Whether the adapter has every element type that a kernel stores. */
export function supports(target: KernelTarget, types: readonly ("f32" | "f16")[] = []): boolean {
  return target.caps.f16 || ![actType(target), ...types].includes("f16");
}

/** The part that bounds loops whose arrays a GPU keeps in registers. */
export function loopPart(target: KernelTarget): string {
  return target.caps.software ? "parts/loop/rolled.wgsl" : "parts/loop/unrolled.wgsl";
}

/** Consts under the aliases that shaders name their types by: `act_t`, and those in `types`. */
export function makeHeader(target: KernelTarget, consts: Header["consts"], types: Readonly<Record<string, "f32" | "f16">> = {}): Header {
  const aliases = { act_t: actType(target), ...types };
  const enables = Object.values(aliases).includes("f16") ? ["f16"] : [];
  return { enables, aliases, consts };
}

/** `rms_norm/f32/cpu`, or with details between name and type. */
export function variantKey(target: KernelTarget, ...name: readonly string[]): string {
  return [...name, actType(target), target.deviceClass].join("/");
}
