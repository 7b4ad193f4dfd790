// Writes kv heads of a page of the types that are quantized when a page is full: codes of a token side by side, least first, then what they
// share, a word each of an f16 step (low half) and the f16 of the least value: a channel's over all tokens (keys), or a block's of a token.
// Whole numbers and exact products only, so that every adapter makes the words of kernels/references/kv_pages.ts.
// Infinity or NaN make the step NaN, so that whoever reads the channel, or the block, finds it.
// Workgroup memory: none. Needs kv (array of u32) and `source_four(at) -> vec2<u32>`: f16 of four dimensions, of a token of one head, tokens
// SOURCE_PITCH apart. Consts: D4, PAGE_TOKENS, CODE_BITS, CODE_WORDS (of a token), CODE_FOURS (of a word), BLOCK4, BLOCKS.
// Paper: KIVI, arXiv:2402.02750.

const ENCODE_STEP: f32 = 1.0 / f32((1u << CODE_BITS) - 1u);

fn encode_halves(words: vec2<u32>) -> vec4<u32> {
  return vec4<u32>(words.x & 0xffffu, words.x >> 16u, words.y & 0xffffu, words.y >> 16u);
}

/// What finite f16 are, subnormals too, whatever the adapter does with those.
fn encode_values_of(halves: vec4<u32>) -> vec4<f32> {
  let magnitude = (halves & vec4<u32>(0x7fffu)) << vec4<u32>(13u);
  let normal = bitcast<vec4<f32>>(magnitude + vec4<u32>(0x38000000u));
  let subnormal = bitcast<vec4<f32>>(magnitude + vec4<u32>(0x38800000u)) - vec4<f32>(bitcast<f32>(0x38800000u));
  let value = select(normal, subnormal, magnitude < vec4<u32>(0x00800000u));
  return select(value, -value, (halves & vec4<u32>(0x8000u)) != vec4<u32>());
}

/// f16 bits in the order of their numbers, -0 below 0.
fn encode_order(halves: vec4<u32>) -> vec4<u32> {
  return select(halves | vec4<u32>(0x8000u), vec4<u32>(0xffffu) - halves, (halves & vec4<u32>(0x8000u)) != vec4<u32>());
}

fn encode_strange(halves: vec4<u32>) -> vec4<u32> {
  return vec4<u32>((halves & vec4<u32>(0x7c00u)) == vec4<u32>(0x7c00u));
}

/// Shared words of what lies between the f16 of these orders.
fn encode_shared(least: vec4<u32>, most: vec4<u32>, strange: vec4<u32>) -> vec4<u32> {
  let low = select(vec4<u32>(0xffffu) - least, least & vec4<u32>(0x7fffu), least >= vec4<u32>(0x8000u));
  let high = select(vec4<u32>(0xffffu) - most, most & vec4<u32>(0x7fffu), most >= vec4<u32>(0x8000u));
  let step = (encode_values_of(high) - encode_values_of(low)) * ENCODE_STEP;
  let normal = (bitcast<vec4<u32>>(step) + vec4<u32>(0x1000u) - vec4<u32>(0x38000000u)) >> vec4<u32>(13u);
  let subnormal = vec4<u32>(step * 16777216.0 + 0.5);
  let bits = select(normal, subnormal, step < vec4<f32>(0.00006103515625));
  return select((low << vec4<u32>(16u)) | bits, vec4<u32>(0x7e00u), strange != vec4<u32>());
}

/// Four codes side by side, each the nearest to its number; of two the larger.
fn encode_codes(halves: vec4<u32>, scale: vec4<u32>) -> u32 {
  let bits = scale & vec4<u32>(0xffffu);
  let step = encode_values_of(bits);
  let above = encode_values_of(halves) - encode_values_of(scale >> vec4<u32>(16u));
  var codes = vec4<u32>();
  for (var bit = 1u << (CODE_BITS - 1u); bit > 0; bit >>= 1u) {
    codes += select(vec4<u32>(), vec4<u32>(bit), above >= (vec4<f32>(codes + bit) - 0.5) * step);
  }
  codes = select(codes, vec4<u32>(), encode_strange(bits) != vec4<u32>());
  return codes.x | (codes.y << CODE_BITS) | (codes.z << (2u * CODE_BITS)) | (codes.w << (3u * CODE_BITS));
}

/// The channels of one word of codes, over all tokens; `to`: the head's keys in kv, `base`: its first token's in the source.
fn encode_keys(to: u32, base: u32, column: u32) {
  for (var i = column * CODE_FOURS; i < min((column + 1) * CODE_FOURS, D4); i++) {
    var least = vec4<u32>(0xffffu);
    var most = vec4<u32>();
    var strange = vec4<u32>();
    for (var token = 0u; token < PAGE_TOKENS; token++) {
      let halves = encode_halves(source_four(base + token * SOURCE_PITCH + i));
      least = min(least, encode_order(halves));
      most = max(most, encode_order(halves));
      strange |= encode_strange(halves);
    }
    let scale = encode_shared(least, most, strange);
    for (var d = 0u; d < 4; d++) {
      kv[to + PAGE_TOKENS * CODE_WORDS + 4 * i + d] = scale[d];
    }
    for (var token = 0u; token < PAGE_TOKENS; token++) {
      let codes = encode_codes(encode_halves(source_four(base + token * SOURCE_PITCH + i)), scale);
      let at = to + token * CODE_WORDS + column;
      let before = select(kv[at], 0u, i % CODE_FOURS == 0);
      kv[at] = before | (codes << (i % CODE_FOURS * 4 * CODE_BITS));
    }
  }
}

/// A block of a token; `to`: the head's values in kv, `base`: the token's in the source.
fn encode_value(to: u32, base: u32, token: u32, block: u32) {
  var least = vec4<u32>(0xffffu);
  var most = vec4<u32>();
  var strange = vec4<u32>();
  let end = (block + 1) * BLOCK4;
  for (var i = block * BLOCK4; i < end; i++) {
    let halves = encode_halves(source_four(base + i));
    least = min(least, encode_order(halves));
    most = max(most, encode_order(halves));
    strange |= encode_strange(halves);
  }
  least = min(min(least, least.yzwx), min(least.zwxy, least.wxyz));
  most = max(max(most, most.yzwx), max(most.zwxy, most.wxyz));
  strange |= strange.yzwx | strange.zwxy | strange.wxyz;
  let scale = encode_shared(least, most, strange);
  kv[to + PAGE_TOKENS * CODE_WORDS + token * BLOCKS + block] = scale.x;
  for (var first = block * BLOCK4; first < end; first += CODE_FOURS) {
    var word = 0u;
    for (var i = first; i < min(first + CODE_FOURS, end); i++) {
      word |= encode_codes(encode_halves(source_four(base + i)), scale) << ((i - first) * 4 * CODE_BITS);
    }
    kv[to + token * CODE_WORDS + first / CODE_FOURS] = word;
  }
}
