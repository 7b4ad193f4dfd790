// active[t, i]: bit j is set where h[t, 32 * i + j] is not zero.
// h [rows, 32 * WORDS], active [rows, WORDS] of u32.
// Grid: (ceil(WORDS / WG), rows), one thread per word. Workgroup memory: none. Consts: WG, WORDS. Parts: none.

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let t = wg.y;
  let i = wg.x * WG + lane;
  if (t >= step.rows || i >= WORDS) {
    return;
  }
  let fours = 8u + step.reserved0;
  var bits = 0u;
  for (var four = 0u; four < fours; four++) {
    let some = vec4<u32>(h[(t * WORDS + i) * 8u + four] != vec4<f32>());
    bits |= (some.x | (some.y << 1u) | (some.z << 2u) | (some.w << 3u)) << (four * 4u);
  }
  active_bits[t * WORDS + i] = bits;
}
