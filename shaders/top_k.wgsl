// (K ids, their K logits in falling order, max, log sum exp, flag, 0) of each output row, lower ids first among equals.
// logits [output rows, STRIDE] in vec4 of bits, y [output rows, Y_STRIDE] of words.
// Grid: (output rows), one workgroup per row: a radix selection finds the K-th entry in at most 7 passes over the row (4 bytes
// of the key, 3 of the id), usually 2; one pass collects what lies above, one sums.
// Workgroup memory: WG f32 (reduce), 256 + 2 K + 10 words.
// Consts: WG, COLS, STRIDE, K, Y_STRIDE, LOWEST. Parts: score/logit_key, reduce.

var<workgroup> histogram: array<atomic<u32>, 256>;
var<workgroup> broken: atomic<u32>;
var<workgroup> collected: atomic<u32>;
var<workgroup> candidates: array<vec2<u32>, K>;
/// Largest logit.
var<workgroup> top: f32;

/// What is chosen so far: entries whose masked (key, ~id) is at least this.
struct Bound {
  mask: vec2<u32>,
  prefix: vec2<u32>,
  /// Entries still to take among those that equal the prefix.
  wanted: u32,
  /// Whether exactly the entries at or above the bound are wanted.
  done: u32,
}
var<workgroup> bound: Bound;

/// Low 24 bits of the id upside down, so that lower ids are larger.
fn rank_id(id: u32) -> u32 {
  return ~id & 0xffffffu;
}

/// Counts the entries at the bound by their next byte; `byte` 0 to 3 are the key's, 4 to 6 the id's.
fn count_bytes(row: u32, byte: u32, current: Bound, lane: u32) {
  for (var i = lane; i < STRIDE; i += WG) {
    let bits = logit_bits(row, i);
    let keys = logit_keys(bits, i);
    if (byte == 0 && any(logit_broken(bits))) {
      atomicStore(&broken, 1);
    }
    for (var c = 0u; c < 4; c++) {
      let key = keys[c];
      let id = rank_id(4 * i + c);
      if ((key > KEY_LOWEST) & all((vec2<u32>(key, id) & current.mask) == current.prefix)) {
        let digit = select(key >> (24 - 8 * min(byte, 3)), id >> (16 - 8 * (max(byte, 4) - 4)), byte > 3) & 255;
        atomicAdd(&histogram[digit], 1);
      }
    }
  }
}

/// One lane: the byte at which the entries from above reach the wanted number.
fn tighten(byte: u32) {
  var above = 0u;
  var digit = 255u;
  var here = atomicLoad(&histogram[255]);
  while (digit > 0) {
    if (above + here >= bound.wanted) {
      break;
    }
    above += here;
    digit--;
    here = atomicLoad(&histogram[digit]);
  }
  if (above + here < bound.wanted) {
    // Fewer entries than wanted (only the first byte can show it): all of them.
    bound.done = 1;
    return;
  }
  bound.wanted -= above;
  bound.done = select(0u, 1u, here == bound.wanted || byte == 6);
  if (byte < 4) {
    bound.mask.x |= 255u << (24 - 8 * byte);
    bound.prefix.x |= digit << (24 - 8 * byte);
  } else {
    bound.mask.y |= 255u << (48 - 8 * byte);
    bound.prefix.y |= digit << (48 - 8 * byte);
  }
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = wg.x;
  if (row >= step.output_rows) {
    return;
  }
  if (lane == 0) {
    bound = Bound(vec2<u32>(), vec2<u32>(), K, 0);
  }
  var current = workgroupUniformLoad(&bound);
  for (var byte = 0u; byte < 7; byte++) {
    if (current.done == 1) {
      break;
    }
    for (var i = lane; i < 256; i += WG) {
      atomicStore(&histogram[i], 0);
    }
    workgroupBarrier();
    count_bytes(row, byte, current, lane);
    workgroupBarrier();
    if (lane == 0) {
      tighten(byte);
    }
    current = workgroupUniformLoad(&bound);
  }

  for (var i = lane; i < STRIDE; i += WG) {
    let keys = logit_keys(logit_bits(row, i), i);
    for (var c = 0u; c < 4; c++) {
      let id = 4 * i + c;
      let entry = vec2<u32>(keys[c], rank_id(id)) & current.mask;
      let chosen = (entry.x > current.prefix.x) | ((entry.x == current.prefix.x) & (entry.y >= current.prefix.y));
      if ((keys[c] > KEY_LOWEST) & chosen) {
        let slot = atomicAdd(&collected, 1);
        if (slot < K) {
          candidates[slot] = vec2<u32>(keys[c], id);
        }
      }
    }
  }
  workgroupBarrier();
  let count = atomicLoad(&collected);
  let flag = (atomicLoad(&broken) == 1) | (count == 0);
  let out = row * Y_STRIDE;
  for (var i = lane; i < K; i += WG) {
    var rank = i;
    var id = 0xffffffffu;
    var value = bitcast<u32>(LOWEST);
    if (!flag && i < count) {
      let mine = candidates[i];
      rank = 0;
      for (var j = 0u; j < min(count, K); j++) {
        let other = candidates[j];
        rank += select(0u, 1u, (other.x > mine.x) | ((other.x == mine.x) & (other.y < mine.y)));
      }
      id = mine.y;
      value = logits[row * STRIDE + id / 4][id % 4];
    }
    y[out + rank] = id;
    y[out + K + rank] = value;
    if (rank == 0) {
      top = bitcast<f32>(value);
    }
  }
  workgroupBarrier();
  let max_logit = top;
  var sum = 0.0;
  for (var i = lane; i < STRIDE; i += WG) {
    let bits = logit_bits(row, i);
    let finite = logit_keys(bits, i) > vec4<u32>(KEY_LOWEST);
    sum += dot(select(vec4<f32>(), exp(bitcast<vec4<f32>>(bits) - max_logit), finite), vec4<f32>(1.0));
  }
  let total = reduce_add(sum, lane);
  if (lane == 0) {
    y[out + 2 * K] = bitcast<u32>(max_logit);
    y[out + 2 * K + 1] = bitcast<u32>(select(max_logit + log(max(total, 1.0)), LOWEST, flag));
    y[out + 2 * K + 2] = select(0u, 1u, flag);
  }
  for (var i = out + 2 * K + 3 + lane; i < out + Y_STRIDE; i += WG) {
    y[i] = 0;
  }
}
