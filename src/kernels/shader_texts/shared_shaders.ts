// Texts of shaders/ that GPUs and CPU drivers both use. A lazy chunk, opened by ../shader_files.ts.

/** By their paths from here. */
export const modules: Record<string, string> = import.meta.glob(
  [
    "../../../shaders/{add,advance,embed,gather_rows,glu,kv_store,quantize,rope,sample_pick}.wgsl",
    "../../../shaders/parts/*.wgsl",
    "../../../shaders/parts/{activation,bias,epilogue,gate,gated,head_norm,keep,kv,loop,mask,ranges,residual,sample,score,turn}/*.wgsl",
    "../../../shaders/parts/{codes/bytes,dot/f32,dot/int8,dot/int8_packed,dot/product,fours/store,rows/fours}.wgsl",
  ],
  { query: "?raw", import: "default", eager: true },
);
