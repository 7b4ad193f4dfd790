// Texts of shaders/ that GPUs and CPU drivers both use. A lazy chunk, opened by ../shader_files.ts.

/** By their paths from here. */
export const modules: Record<string, string> = import.meta.glob(
  [
    "../../../shaders/{add,advance,embed,gather_rows,glu,kv_store,rope,sample_pick}.wgsl",
    "../../../shaders/parts/*.wgsl",
    "../../../shaders/parts/{activation,bias,epilogue,gate,gated,head_norm,kv,kv_number,loop,residual,sample,turn}/*.wgsl",
    "../../../shaders/parts/{dot/f32,dot/product,fours/store,kv_read/fours,mask/causal,ranges/bounded,rows/fours,score/logit_key,score/scaled,sink/none}.wgsl",
  ],
  { query: "?raw", import: "default", eager: true },
);
