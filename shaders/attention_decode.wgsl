// (max, sum, 0, 0, sums of exp(score - max) v) of each query head over each range of its row's past.
// partials [rows, PARTIAL_STRIDE] as [HEADS][SPLITS][1 + D4], in vec4; kv as in parts/kv; queries as parts/newest has them.
// Grid: (SETS, ranges, rows), one workgroup per range and set of up to SET_HEADS (1 to 4) query heads that share a kv head, so that
// keys and values are read once for all of them; ranges past the row's position return at once. A range is taken in tiles of TILE
// keys: PER_KEY lanes share a key's dimensions; then lanes lie across the dimensions of values, D4 side by side, and each such stripe
// takes every STRIPES-th key with a running maximum and sum of its own. Stripes are joined at the end.
// Workgroup memory: SET_HEADS * 4 D4 + 4 WG words, and that of parts/newest.
// Consts: WG, HEADS, GROUP (query heads per kv head), SETS, SET_HEADS, TILE, PARTIAL_STRIDE, LOWEST, those of the parts.
// Parts: newest, running, ranges, kv, kv_read, mask, score, sink, loop.
// Source: Flash-Decoding, after arXiv:2307.08691.

const PER_KEY = WG / TILE;
const STRIPES = WG / D4;
/// Keys of a tile that a stripe takes.
const KEYS = (TILE + STRIPES - 1) / STRIPES;

/// [dimension][head of the set].
var<workgroup> queries: array<vec4<f32>, SET_HEADS * D4>;
/// Shares of products [key][PER_KEY], a component per head of the set; at the end what stripes have.
var<workgroup> scratch: array<vec4<f32>, WG>;

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

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = wg.z;
  let split = wg.y;
  if (row >= step.rows) {
    return;
  }
  let position = step.row[row].position;
  kv_see(position);
  let tokens = range_tokens(position);
  let start = range_first(position) + split * tokens;
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
  let heads = kv_head * GROUP + min(first_head + vec4<u32>(0, 1, 2, 3), vec4<u32>(GROUP - 1));
  var run = Running();
  let of_heads = vec4<f32>(score_head(heads.x), score_head(heads.y), score_head(heads.z), score_head(heads.w));
  // The first range, and there the first stripe, has what counts beside keys.
  let sinking = (split == 0) & (stripe == 0);
  let tops = vec4<f32>(sink_top(heads.x), sink_top(heads.y), sink_top(heads.z), sink_top(heads.w));
  run.top = select(vec4<f32>(LOWEST), tops, sinking);
  run.sum = vec4<f32>(select(0.0, sink_sum(), sinking));
  for (var first = mask_next(select(start, 0, split == 0), position); first < end; first = mask_next(first + TILE, position)) {
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
        let at = first + tile_key;
        scores[j] = vec4<f32>(
          score(total.x, of_heads.x, position, at),
          score(total.y, of_heads.y, position, at),
          score(total.z, of_heads.z, position, at),
          score(total.w, of_heads.w, position, at),
        );
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
