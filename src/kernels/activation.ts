// The functions that gate a feed-forward block, by name; parts/activation has them.

/** `gelu` is the tanh approximation, as in ggml. */
export type Activation = "silu" | "gelu" | "relu";
