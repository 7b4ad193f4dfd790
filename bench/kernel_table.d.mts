import type { DispatchRow } from "./by_rows.ts";
import type { KernelRow } from "./kernels.ts";

interface Rates {
  readonly copy?: { readonly gigabytesPerSecond: number };
  readonly peaks?: { readonly f32: number; readonly f16?: number; readonly packedDot: number };
}

export declare function shares(row: KernelRow, rates: Rates): { readonly copy: number | undefined; readonly peak: number | undefined };
export declare function kernelTable(rows: readonly KernelRow[], rates: Rates): string;
export declare function matvecSummary(rows: readonly KernelRow[], rates: Rates): string | undefined;
export declare function dispatchTable(rows: readonly DispatchRow[]): string;
