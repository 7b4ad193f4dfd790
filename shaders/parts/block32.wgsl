// What every weight part and matrix kernel shares: 32 consecutive values of a row in registers, and exact f16 scales.
// Members instead of an array, because CPU drivers spend about 30 cycles on each access to an indexed private array.

struct Block32 {
  v0: vec4<f32>,
  v1: vec4<f32>,
  v2: vec4<f32>,
  v3: vec4<f32>,
  v4: vec4<f32>,
  v5: vec4<f32>,
  v6: vec4<f32>,
  v7: vec4<f32>,
}

/// The value of the f16 in the low 16 bits, exact for subnormals too: scales of K-quants often are, and unpack2x16float may
/// flush them. No intermediate is a subnormal f32.
fn f16_value(bits: u32) -> f32 {
  let magnitude = (bits & 0x7fffu) << 13u;
  let normal = bitcast<f32>(magnitude + 0x38000000u);
  let subnormal = bitcast<f32>(magnitude + 0x38800000u) - bitcast<f32>(0x38800000u);
  let value = select(normal, subnormal, magnitude < 0x00800000u);
  return select(value, -value, (bits & 0x8000u) != 0u);
}

/// What f16 can hold of a number: the largest it has stands for larger ones. Infinity and NaN stay, for someone to find.
fn within_f16(value: f32) -> f32 {
  let finite = (bitcast<u32>(value) & 0x7f800000u) != 0x7f800000u;
  return select(value, clamp(value, -65504.0, 65504.0), finite);
}

/// Bytes of four codes stay where they are in the word and are converted as they stand; these factors bring them back.
/// A shift for each code would cost as much as the rest of the decoding. Powers of two, so the result is exact.
const BYTE_STEPS: vec4<f32> = vec4<f32>(1.0, 0.00390625, 0.0000152587890625, 0.000000059604644775390625);

/// code * step + offset for the low nibbles of four bytes; `step` already times BYTE_STEPS.
fn nibbles4(word: u32, step: vec4<f32>, offset: vec4<f32>) -> vec4<f32> {
  let codes = vec4<i32>(vec4<u32>(word) & vec4<u32>(0x0000000fu, 0x00000f00u, 0x000f0000u, 0x0f000000u));
  return fma(vec4<f32>(codes), step, offset);
}

/// code * step + offset for four signed bytes, biased by 128 so that they convert in place; `step` already times
/// BYTE_STEPS.xyzz (the top byte comes down one to stay positive), `offset` already less 128 steps.
fn bytes4(word: u32, step: vec4<f32>, offset: vec4<f32>) -> vec4<f32> {
  let biased = word ^ 0x80808080u;
  let codes = vec4<u32>(biased, biased, biased, biased >> 8u) & vec4<u32>(0x000000ffu, 0x0000ff00u, 0x00ff0000u, 0x00ff0000u);
  return fma(vec4<f32>(vec4<i32>(codes)), step, offset);
}

/// 32 signed bytes times `scale`.
fn bytes32(a: vec4<u32>, b: vec4<u32>, scale: f32) -> Block32 {
  let step = scale * BYTE_STEPS.xyzz;
  let offset = vec4<f32>(-128.0 * scale);
  return Block32(
    bytes4(a.x, step, offset),
    bytes4(a.y, step, offset),
    bytes4(a.z, step, offset),
    bytes4(a.w, step, offset),
    bytes4(b.x, step, offset),
    bytes4(b.y, step, offset),
    bytes4(b.z, step, offset),
    bytes4(b.w, step, offset),
  );
}

/// 32 four-bit codes times `scale`, plus `offset`.
fn nibbles32(q: vec4<u32>, scale: f32, offset: f32) -> Block32 {
  let step = scale * BYTE_STEPS;
  let start = vec4<f32>(offset);
  return Block32(
    nibbles4(q.x, step, start),
    nibbles4(q.x >> 4u, step, start),
    nibbles4(q.y, step, start),
    nibbles4(q.y >> 4u, step, start),
    nibbles4(q.z, step, start),
    nibbles4(q.z >> 4u, step, start),
    nibbles4(q.w, step, start),
    nibbles4(q.w >> 4u, step, start),
  );
}

/// 32 codes as signed bytes in the order of the weights, 16 in `a` and 16 in `b`; a weight is step * code + offset, with the
/// first step and offset for `a`, the second for `b`.
struct Codes32 {
  a: vec4<u32>,
  b: vec4<u32>,
  step: vec2<f32>,
  offset: vec2<f32>,
}

/// The weights that codes stand for.
fn decode_codes(codes: Codes32) -> Block32 {
  let step0 = codes.step.x * BYTE_STEPS.xyzz;
  let step1 = codes.step.y * BYTE_STEPS.xyzz;
  let offset0 = vec4<f32>(codes.offset.x - 128.0 * codes.step.x);
  let offset1 = vec4<f32>(codes.offset.y - 128.0 * codes.step.y);
  return Block32(
    bytes4(codes.a.x, step0, offset0),
    bytes4(codes.a.y, step0, offset0),
    bytes4(codes.a.z, step0, offset0),
    bytes4(codes.a.w, step0, offset0),
    bytes4(codes.b.x, step1, offset1),
    bytes4(codes.b.y, step1, offset1),
    bytes4(codes.b.z, step1, offset1),
    bytes4(codes.b.w, step1, offset1),
  );
}

/// Four-bit codes, as they lie in one unit, as bytes.
fn nibble_codes(q: vec4<u32>, step: f32, offset: f32) -> Codes32 {
  let low = q & vec4<u32>(0x0f0f0f0fu);
  let high = (q >> vec4<u32>(4u)) & vec4<u32>(0x0f0f0f0fu);
  let a = vec4<u32>(low.x, high.x, low.y, high.y);
  let b = vec4<u32>(low.z, high.z, low.w, high.w);
  return Codes32(a, b, vec2<f32>(step), vec2<f32>(offset));
}
