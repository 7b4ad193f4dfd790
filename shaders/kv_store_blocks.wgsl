// kv[slot, position] = codes of (k, v) of each row, in blocks of numbers that share a step or an exponent.
// k, v [rows, STRIDE] in vec4; kv as in parts/kv_read.
// Grid: (ceil(2 * KV_HEADS * KV_SHARED / WG), rows), one thread per word of what blocks of a head's key or value share: KV_PER_WORD
// blocks of KV_BLOCK4 fours. A word of codes holds KV_FOURS of them. Workgroup memory: none.
// Consts: WG, STRIDE, D4, KV_PER_WORD, KV_FOURS, those of the parts. Parts: kv, kv_read, kv_write, loop.

fn token_four(at: u32, value: bool) -> vec4<f32> {
  if (value) {
    return vec4<f32>(v[at]);
  }
  return vec4<f32>(k[at]);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = wg.y;
  let item = wg.x * WG + lane;
  if (row >= step.rows || item >= 2 * KV_HEADS * KV_SHARED) {
    return;
  }
  let word = item % KV_SHARED;
  let head = item / KV_SHARED % KV_HEADS;
  let value = item / KV_SHARED >= KV_HEADS;
  let source = row * STRIDE + head * D4;
  let at = kv_index(step.row[row].slot, step.row[row].position, head) + select(0u, kv_values(), value);
  var shared_bits = 0u;
  var codes = 0u;
  for (var block = 0u; block < upto(KV_PER_WORD); block++) {
    let first = (word * KV_PER_WORD + block) * KV_BLOCK4;
    let end = min(first + KV_BLOCK4, D4);
    var most = vec4<u32>();
    for (var i = first; i < upto(end); i++) {
      most = max(most, bitcast<vec4<u32>>(token_four(source + i, value)) & vec4<u32>(0x7fffffff));
    }
    let share = kv_share(max(max(most.x, most.y), max(most.z, most.w)));
    shared_bits |= share << (block * (32 / KV_PER_WORD));
    for (var i = first; i < upto(end); i++) {
      codes |= kv_code(token_four(source + i, value), share) << (i % KV_FOURS * 16);
      if (i % KV_FOURS == KV_FOURS - 1 || i == D4 - 1) {
        kv[kv_codes_at(at) + i / KV_FOURS] = codes;
        codes = 0;
      }
    }
  }
  kv[kv_shared_at(at) + word] = shared_bits;
}
