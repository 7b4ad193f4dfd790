// Shared by iq4_nl and iq4_xs: their sixteen values, -127 -104 -83 -65 -49 -35 -22 -10 1 13 25 38 53 69 89 113
// (kvalues_iq4nl of ggml-common.h). A polynomial of the fourth degree in the code comes within 0.44 of each, so rounding gives
// them; a table would be a load or a dozen operations for each weight. Parts: block32.

/// Coefficients for codes that stand in their byte of the word, so that none is shifted down.
const IQ4_C0: vec4<f32> = vec4<f32>(-126.567);
const IQ4_C1: vec4<f32> = 24.1738 * BYTE_STEPS;
const IQ4_C2: vec4<f32> = -1.37193 * BYTE_STEPS * BYTE_STEPS;
const IQ4_C3: vec4<f32> = 0.0310864 * BYTE_STEPS * BYTE_STEPS * BYTE_STEPS;
const IQ4_C4: vec4<f32> = 0.00158604 * BYTE_STEPS * BYTE_STEPS * BYTE_STEPS * BYTE_STEPS;

/// The values of the low nibbles of four bytes, plus `bias`.
fn iq4_values(word: u32, bias: f32) -> vec4<f32> {
  let x = vec4<f32>(vec4<i32>(vec4<u32>(word) & vec4<u32>(0x0000000fu, 0x00000f00u, 0x000f0000u, 0x0f000000u)));
  return round(fma(fma(fma(fma(IQ4_C4, x, IQ4_C3), x, IQ4_C2), x, IQ4_C1), x, IQ4_C0 + bias));
}

/// The same as four signed bytes: they are made positive and added up in f32, which holds three of them exactly.
fn iq4_bytes(word: u32) -> u32 {
  let values = iq4_values(word, 128.0);
  let three = u32(fma(values.z, 65536.0, fma(values.y, 256.0, values.x)));
  return (three | (u32(values.w) << 24u)) ^ 0x80808080u;
}

/// A unit of codes times `scale`.
fn iq4_block(q: vec4<u32>, scale: f32) -> Block32 {
  return Block32(
    scale * iq4_values(q.x, 0.0),
    scale * iq4_values(q.x >> 4u, 0.0),
    scale * iq4_values(q.y, 0.0),
    scale * iq4_values(q.y >> 4u, 0.0),
    scale * iq4_values(q.z, 0.0),
    scale * iq4_values(q.z >> 4u, 0.0),
    scale * iq4_values(q.w, 0.0),
    scale * iq4_values(q.w >> 4u, 0.0),
  );
}

fn iq4_codes(q: vec4<u32>, scale: f32) -> Codes32 {
  let a = vec4<u32>(iq4_bytes(q.x), iq4_bytes(q.x >> 4u), iq4_bytes(q.y), iq4_bytes(q.y >> 4u));
  let b = vec4<u32>(iq4_bytes(q.z), iq4_bytes(q.z >> 4u), iq4_bytes(q.w), iq4_bytes(q.w >> 4u));
  return Codes32(a, b, vec2<f32>(scale), vec2<f32>(0.0));
}
