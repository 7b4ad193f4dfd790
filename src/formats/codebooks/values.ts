// What the 4-bit codes of the formats without a linear scale stand for. Source: ggml-common.h of llama.cpp (MIT),
// https://github.com/ggml-org/llama.cpp, kvalues_iq4nl and kvalues_mxfp4.

/** IQ4_NL and IQ4_XS. */
export const iq4Values: readonly number[] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/** MXFP4 and NVFP4: E2M1 numbers times two; both zeros are +0. */
export const fp4Values: readonly number[] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];
