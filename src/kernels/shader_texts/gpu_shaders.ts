// Texts of shaders/ that only GPUs use. A lazy chunk, opened by ../shader_files.ts.

/** By their paths from here. */
export const modules: Record<string, string> = import.meta.glob(
  [
    "../../../shaders/{attention_decode,attention_merge,attention_prefill,gemm,gemv,gemv_lut}.wgsl",
    "../../../shaders/{heads,pick_best,rms_norm,sample_tiles,top_k}.wgsl",
    "../../../shaders/parts/{best,block,lanes,newest,prologue,reduce,running,slices,sums}/*.wgsl",
    "../../../shaders/parts/dot/{f32_fours,norm,ranges}.wgsl",
  ],
  { query: "?raw", import: "default", eager: true },
);
