// Texts of shaders/ that only the int8 class uses. A lazy chunk, opened by ../shader_files.ts.

/** By their paths from here. */
export const modules: Record<string, string> = import.meta.glob(
  [
    "../../../shaders/{gemm_packed,quantize,rms_norm_codes_cpu}.wgsl",
    "../../../shaders/parts/{codes,keep}/*.wgsl",
    "../../../shaders/parts/{columns/eight_packed,dot/int8,dot/int8_packed,fours/codes,queries/codes,rows/blocks}.wgsl",
  ],
  { query: "?raw", import: "default", eager: true },
);
