// Candidates of each token, and of each tile of 1024 tokens (key of the largest, its first id, mass, flags), for CPU drivers.
// logits [output rows, STRIDE] in vec4 of bits; z like logits; tiles [output rows, TILES] of vec4<u32>.
// Grid: (tiles / WG, output rows), one thread per tile. Workgroup memory: none, and no barrier.
// Consts: WG, COLS, STRIDE, TILES, TILE_FOURS, SLOT_WORDS, MASK_WORDS. Parts: sample/candidate, sample/adjusted, sample/weight.
// Source: as sample_tiles.wgsl.

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) thread: vec3<u32>) {
  let row = thread.y;
  let tile = thread.x;
  if (row >= step.output_rows || tile >= TILES) {
    return;
  }
  let slot = step.row[step.row[row].source].slot;
  let by = adjusted_of(slot);
  let greedy = adjusted_greedy(slot);
  let start = tile * TILE_FOURS;
  let end = min(start + TILE_FOURS, STRIDE);
  // Each component keeps the first of its largest keys; ids grow along the loop.
  var keys = vec4<u32>();
  var fours = vec4<u32>();
  var broken = vec4<bool>();
  var finite = vec4<bool>();
  for (var i = start; i < end; i++) {
    let raw = logits[row * STRIDE + i];
    let inside = candidate_inside(i);
    let bits = adjusted(raw, i, by);
    let next = candidate_keys(bits, i);
    broken |= candidate_broken(raw) & inside;
    finite |= candidate_finite(raw) & inside;
    fours = select(fours, vec4<u32>(i), next > keys);
    keys = max(keys, next);
    if (!greedy && by.flags != 0) {
      z[row * STRIDE + i] = select(vec4<u32>(), bits, inside);
    }
  }
  let key = max(max(keys.x, keys.y), max(keys.z, keys.w));
  let ids = select(vec4<u32>(0xffffffff), 4 * fours + vec4<u32>(0, 1, 2, 3), keys == vec4<u32>(key));
  var low = vec4<u32>();
  var high = vec4<u32>();
  if (!greedy && !adjusted_cuts(slot) && key > CANDIDATE_LOWEST_KEY) {
    let scale = bitcast<f32>(sampling[slot * SLOT_WORDS + 28]);
    let top = candidate_value(key);
    for (var i = start; i < end; i++) {
      let bits = select(vec4<u32>(CANDIDATE_LOWEST), adjusted(logits[row * STRIDE + i], i, by), candidate_inside(i));
      let own = weights(top, bitcast<vec4<f32>>(bits), scale);
      // Halves of the weights apart: 1024 of them fit their words.
      low += own & vec4<u32>(0xffff);
      high += own >> vec4<u32>(16);
    }
  }
  let mass = (high.x + high.y + high.z + high.w) * 64 + (low.x + low.y + low.z + low.w) / 1024;
  let flags = select(0u, 1u, any(broken)) | select(0u, 2u, any(finite));
  tiles[row * TILES + tile] = vec4<u32>(key, min(min(ids.x, ids.y), min(ids.z, ids.w)), mass, flags);
}
