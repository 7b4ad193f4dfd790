// (max, sum, 0, 0, sums of exp(score - max) v) of each query head over each range of its row's past.
// partials [rows, PARTIAL_STRIDE] as [HEADS][SPLITS][1 + D4], in vec4; kv as in parts/kv; queries as parts/newest has them.
// Grid: (SETS, ranges, rows), one workgroup per range and set of up to SET_HEADS (1 to 4) query heads that share a kv head, so that
// keys and values are read once for all of them; ranges past the row's position return at once. A range is taken in tiles of TILE
// keys: PER_KEY lanes share a key's dimensions; then lanes lie across the dimensions of values, D4 side by side, and each such stripe
// takes every STRIPES-th key with a running maximum and sum of its own. Stripes are joined at the end.
// Workgroup memory: SET_HEADS * 4 D4 + 4 WG words, and that of parts/newest.
// Consts: WG, HEADS, GROUP (query heads per kv head), SETS, SET_HEADS, TILE, PARTIAL_STRIDE, LOWEST, those of the parts.
// Parts: newest, ranges, kv, kv_read, mask, score, loop.
// Sources: Flash-Decoding, after arXiv:2307.08691; running maximum: arXiv:1805.02867.

const PER_KEY = WG / TILE;
const STRIPES = WG / D4;
/// Keys of a tile that a stripe takes.
const KEYS = (TILE + STRIPES - 1) / STRIPES;

/// [dimension][head of the set].
var<workgroup> queries: array<vec4<f32>, SET_HEADS * D4>;
/// Shares of products [key][PER_KEY], a component per head of the set; at the end what stripes have.
var<workgroup> scratch: array<vec4<f32>, WG>;

/// A stripe's: maxima and sums for each head, sums of values for one dimension of each.
struct Running {
  top: vec4<f32>,
  sum: vec4<f32>,
  acc0: vec4<f32>,
  acc1: vec4<f32>,
  acc2: vec4<f32>,
  acc3: vec4<f32>,
}

/// Products with the queries of the set.
fn products(i: u32, k: vec4<f32>) -> vec4<f32> {
  var s = vec4<f32>(dot(queries[i * SET_HEADS], k), 0.0, 0.0, 0.0);
  if (SET_HEADS > 1u) {
    s.y = dot(queries[i * SET_HEADS + 1], k);
  }
  if (SET_HEADS > 2u) {
    s.z = dot(queries[i * SET_HEADS + 2], k);
  }
  if (SET_HEADS > 3u) {
    s.w = dot(queries[i * SET_HEADS + 3], k);
  }
  return s;
}

fn add_value(run: ptr<function, Running>, p: vec4<f32>, v: vec4<f32>) {
  (*run).sum += p;
  (*run).acc0 += p.x * v;
  if (SET_HEADS > 1u) {
    (*run).acc1 += p.y * v;
  }
  if (SET_HEADS > 2u) {
    (*run).acc2 += p.z * v;
  }
  if (SET_HEADS > 3u) {
    (*run).acc3 += p.w * v;
  }
}

fn scale_run(run: ptr<function, Running>, top: vec4<f32>) {
  let fade = exp((*run).top - top);
  (*run).top = top;
  (*run).sum *= fade;
  (*run).acc0 *= fade.x;
  (*run).acc1 *= fade.y;
  (*run).acc2 *= fade.z;
  (*run).acc3 *= fade.w;
}

fn share_of(run: ptr<function, Running>, head: u32) -> vec4<f32> {
  switch (head) {
    case 0u: {
      return (*run).acc0;
    }
    case 1u: {
      return (*run).acc1;
    }
    case 2u: {
      return (*run).acc2;
    }
    default: {
      return (*run).acc3;
    }
  }
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = wg.z;
  let split = wg.y;
  if (row >= step.rows) {
    return;
  }
  let position = step.row[row].position;
  let tokens = range_tokens(position);
  let start = split * tokens;
  if (start > position || split >= SPLITS) {
    return;
  }
  let end = min(start + tokens, position + 1);
  // Keys before this one are in the pages; the newest may be the prologue's.
  let paged = min(end, position + 1 - FRESH_KEYS);
  let slot = step.row[row].slot;
  let kv_head = wg.x * KV_HEADS / SETS;
  // The last set of a group may be short, and then repeats its last head.
  let first_head = wg.x % (SETS / KV_HEADS) * SET_HEADS;
  take_heads(row, kv_head, first_head, end > position, lane);
  workgroupBarrier();

  let col = lane % D4;
  let stripe = lane / D4;
  var run = Running();
  run.top = vec4<f32>(LOWEST);
  for (var first = start; first < end; first += TILE) {
    let key = first + lane / PER_KEY;
    var s = vec4<f32>();
    if (key < paged) {
      let at = kv_index(slot, key, kv_head);
      for (var i = lane % PER_KEY; i < upto(D4); i += PER_KEY) {
        s += products(i, kv_key(at, i));
      }
    } else if (key < end) {
      for (var i = lane % PER_KEY; i < upto(D4); i += PER_KEY) {
        s += products(i, fresh_key(i));
      }
    }
    // Values do not wait for scores.
    var values = array<vec4<f32>, KEYS>();
    for (var j = 0u; j < upto(KEYS); j++) {
      let mine = first + stripe + j * STRIPES;
      if (mine < paged) {
        values[j] = kv_value(kv_index(slot, mine, kv_head), col);
      } else if (mine < end) {
        values[j] = fresh_value(col);
      }
    }
    scratch[lane] = s;
    workgroupBarrier();
    var scores = array<vec4<f32>, KEYS>();
    var top = run.top;
    for (var j = 0u; j < upto(KEYS); j++) {
      let tile_key = stripe + j * STRIPES;
      scores[j] = vec4<f32>(LOWEST);
      if ((stripe < STRIPES) & (tile_key < TILE) & (first + tile_key < end) & mask_allows(position, first + tile_key)) {
        var total = vec4<f32>();
        for (var part = 0u; part < upto(PER_KEY); part++) {
          total += scratch[tile_key * PER_KEY + part];
        }
        scores[j] = vec4<f32>(score(total.x), score(total.y), score(total.z), score(total.w));
      }
      top = max(top, scores[j]);
    }
    scale_run(&run, top);
    for (var j = 0u; j < upto(KEYS); j++) {
      // A stripe without a key counts ones until it has one, or the join weighs them with exp(LOWEST - top).
      add_value(&run, exp(scores[j] - top), values[j]);
    }
    workgroupBarrier();
  }
  join(&run, row * PARTIAL_STRIDE + ((kv_head * GROUP + first_head) * SPLITS + split) * (D4 + 1), GROUP - first_head, lane);
}

/// Joins the stripes and writes the partials of the set's heads, the first at `out`.
fn join(run: ptr<function, Running>, out: u32, heads: u32, lane: u32) {
  let col = lane % D4;
  let stripe = lane / D4;
  if (col == 0 && stripe < STRIPES) {
    scratch[2 * stripe] = (*run).top;
    scratch[2 * stripe + 1] = (*run).sum;
  }
  workgroupBarrier();
  var top = vec4<f32>(LOWEST);
  for (var i = 0u; i < upto(STRIPES); i++) {
    top = max(top, scratch[2 * i]);
  }
  var sum = vec4<f32>();
  for (var i = 0u; i < upto(STRIPES); i++) {
    sum += exp(scratch[2 * i] - top) * scratch[2 * i + 1];
  }
  scale_run(run, top);
  for (var h = 0u; h < min(SET_HEADS, heads); h++) {
    workgroupBarrier();
    scratch[lane] = share_of(run, h);
    workgroupBarrier();
    if (stripe == 0) {
      var total = vec4<f32>();
      for (var i = 0u; i < upto(STRIPES); i++) {
        total += scratch[i * D4 + col];
      }
      let at = out + h * SPLITS * (D4 + 1);
      partials[at + 1 + col] = total;
      if (col == 0) {
        partials[at] = vec4<f32>(top[h], sum[h], 0.0, 0.0);
      }
    }
  }
}
