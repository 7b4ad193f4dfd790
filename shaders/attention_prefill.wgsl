// y = softmax(q k^T SCALE) v in tiles of PAIRS pairs of a query and a head x 32 keys, with a running maximum and sum. The heads of a tile
// share a kv head, so that keys and values are read once for all of them.
// q, y [rows, STRIDE] in vec4, heads of D4; kv as in parts/kv; the rows are consecutive positions of one sequence.
// Grid: (tiles of queries, SETS), one workgroup per QUERIES queries of up to SET_HEADS heads of a kv head; keys past the last position are
// never read. PAGE_ALIGNED, tiles begin at multiples of QUERIES in the sequence, so that the queries of one are of one page.
// Workgroup memory: TILE_FOURS + 288 vec4, 8 PAIRS words, and that of parts/fours. Threads lie 8 across; each owns ROWS pairs x 4 keys of the
// scores, ROWS pairs x one vec4 of every 32 dimensions of the output. Heads come in CHUNKS of 32 dimensions, so that any length fits.
// Consts: WG (8 * PAIRS / ROWS), PAIRS (at least QUERIES * SET_HEADS), QUERIES, SET_HEADS, SETS, ROWS, CHUNKS, RESIDENT (whether queries stay
// in workgroup memory), TILE_FOURS, PAGE_ALIGNED, HEADS, GROUP, STRIDE, LOWEST, those of the parts: kernels/attention_tile.ts chooses them.
// Parts: kv, kv_read, mask, score, scores, sink, loop, fours.
// Paper: FlashAttention-2, arXiv:2307.08691.

/// vec4 from one row of a tile to the next: one more than 8, so that rows fall into different banks.
const PITCH = 9u;
/// Likewise of queries.
const Q_PITCH = select(PITCH, 8 * CHUNKS + 1, RESIDENT);
/// Where probabilities, [pair][keys in vec4], begin: in the place of queries where those do not stay.
const P_START = select(0, PAIRS * Q_PITCH, RESIDENT);

var<workgroup> tile_fours: array<vec4<f32>, TILE_FOURS>;
/// A chunk of keys, then of values. Key 4a + b is stored in row 8b + a, next to those that neighbouring lanes read.
var<workgroup> kv_tile: array<vec4<f32>, 32 * PITCH>;
/// One value per pair and lane across.
var<workgroup> across: array<f32, PAIRS * 8>;

/// A tile: rows of its queries [begin, end), its first head.
struct Place {
  begin: u32,
  end: u32,
  head: u32,
}

fn key_row(key: u32) -> u32 {
  return (key % 4) * 8 + key / 4;
}

/// Whether there is such a pair: the last set of a group may have fewer heads.
fn is_pair(place: Place, pair: u32) -> bool {
  return (pair / SET_HEADS < place.end - place.begin) & (place.head % GROUP + pair % SET_HEADS < GROUP);
}

/// Chunks [chunks.x, chunks.y) of the queries.
fn load_queries(place: Place, chunks: vec2<u32>, lane: u32) {
  let width = 8 * (chunks.y - chunks.x);
  for (var i = lane; i < PAIRS * width; i += WG) {
    let pair = i / width;
    let col = chunks.x * 8 + i % width;
    var value = vec4<f32>();
    if (is_pair(place, pair) & (col < D4)) {
      value = vec4<f32>(q[(place.begin + pair / SET_HEADS) * STRIDE + (place.head + pair % SET_HEADS) * D4 + col]);
    }
    tile_fours[pair * Q_PITCH + i % width] = value;
  }
}

/// A chunk of K or V of 32 keys; zero from key `end` on, whatever the page holds there.
fn load_kv(slot: u32, keys: vec2<u32>, head: u32, chunk: u32, values: bool, lane: u32) {
  for (var i = lane; i < 256; i += WG) {
    let key = i / 8;
    let col = chunk * 8 + i % 8;
    var value = vec4<f32>();
    if (keys.x + key < keys.y && col < D4) {
      let at = kv_index(slot, keys.x + key, head / GROUP);
      if (values) {
        value = kv_value(at, col);
      } else {
        value = kv_key(at, col);
      }
    }
    kv_tile[select(key_row(key), key, values) * PITCH + i % 8] = value;
  }
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let shift = select(0, step.row[0].position % QUERIES, PAGE_ALIGNED);
  let place = Place(
    max(wg.x * QUERIES, shift) - shift,
    min((wg.x + 1) * QUERIES - shift, step.rows),
    wg.y * KV_HEADS / SETS * GROUP + wg.y % (SETS / KV_HEADS) * SET_HEADS,
  );
  if (place.begin >= place.end) {
    return;
  }
  let slot = step.row[place.begin].slot;
  let start = step.row[place.begin].position;
  let end = start + place.end - place.begin;
  kv_see(start);
  let tx = lane % 8;
  let ty = lane / 8 * ROWS;
  var acc: array<array<vec4<f32>, CHUNKS>, ROWS>;
  var top: array<f32, ROWS>;
  var sum: array<f32, ROWS>;
  for (var r = 0u; r < upto(ROWS); r++) {
    top[r] = sink_top(place.head + (ty + r) % SET_HEADS);
    // One of the lanes that share a pair counts it.
    sum[r] = select(0.0, sink_sum(), tx == 0);
  }
  if (RESIDENT) {
    load_queries(place, vec2<u32>(0, CHUNKS), lane);
  }
  for (var tile = mask_next(0, start) / 32 * 32; tile < end; tile = mask_next(tile + 32, start) / 32 * 32) {
    var s = array<vec4<f32>, ROWS>();
    for (var chunk = 0u; chunk < upto(CHUNKS); chunk++) {
      workgroupBarrier();
      if (!RESIDENT) {
        load_queries(place, vec2<u32>(chunk, chunk + 1), lane);
      }
      load_kv(slot, vec2<u32>(tile, end), place.head, chunk, false, lane);
      workgroupBarrier();
      for (var i = 0u; i < upto(8); i++) {
        let k0 = kv_tile[tx * PITCH + i];
        let k1 = kv_tile[(8 + tx) * PITCH + i];
        let k2 = kv_tile[(16 + tx) * PITCH + i];
        let k3 = kv_tile[(24 + tx) * PITCH + i];
        for (var r = 0u; r < upto(ROWS); r++) {
          let query = tile_fours[(ty + r) * Q_PITCH + select(0, chunk * 8, RESIDENT) + i];
          s[r] += vec4<f32>(dot(query, k0), dot(query, k1), dot(query, k2), dot(query, k3));
        }
      }
    }
    let key = tile + tx * 4;
    let whole = mask_whole(vec2<u32>(start, end - 1), vec2<u32>(tile, tile + 32));
    for (var r = 0u; r < upto(ROWS); r++) {
      let pair = ty + r;
      s[r] = scores_of(s[r], score_head(place.head + pair % SET_HEADS), start + pair / SET_HEADS, key);
      if (!whole) {
        s[r] = scores_seen(s[r], start + pair / SET_HEADS, key);
      }
      across[pair * 8 + tx] = max(max(s[r].x, s[r].y), max(s[r].z, s[r].w));
    }
    workgroupBarrier();
    for (var r = 0u; r < upto(ROWS); r++) {
      var new_top = top[r];
      for (var i = 0u; i < upto(8); i++) {
        new_top = max(new_top, across[(ty + r) * 8 + i]);
      }
      let fade = exp(top[r] - new_top);
      let p = exp(s[r] - new_top);
      top[r] = new_top;
      sum[r] = sum[r] * fade + dot(p, vec4<f32>(1.0));
      tile_fours[P_START + (ty + r) * PITCH + tx] = p;
      for (var chunk = 0u; chunk < upto(CHUNKS); chunk++) {
        acc[r][chunk] *= fade;
      }
    }
    for (var chunk = 0u; chunk < upto(CHUNKS); chunk++) {
      workgroupBarrier();
      load_kv(slot, vec2<u32>(tile, end), place.head, chunk, true, lane);
      workgroupBarrier();
      for (var i = 0u; i < upto(8); i++) {
        let v0 = kv_tile[(4 * i) * PITCH + tx];
        let v1 = kv_tile[(4 * i + 1) * PITCH + tx];
        let v2 = kv_tile[(4 * i + 2) * PITCH + tx];
        let v3 = kv_tile[(4 * i + 3) * PITCH + tx];
        for (var r = 0u; r < upto(ROWS); r++) {
          let p = tile_fours[P_START + (ty + r) * PITCH + i];
          acc[r][chunk] += p.x * v0 + p.y * v1 + p.z * v2 + p.w * v3;
        }
      }
    }
  }
  // Each lane has summed its own keys; the maxima they share made the sums comparable.
  for (var r = 0u; r < upto(ROWS); r++) {
    across[(ty + r) * 8 + tx] = sum[r];
  }
  workgroupBarrier();
  for (var r = 0u; r < upto(ROWS); r++) {
    let pair = ty + r;
    let row = place.begin + pair / SET_HEADS;
    let head = place.head + pair % SET_HEADS;
    var total = 0.0;
    for (var i = 0u; i < upto(8); i++) {
      total += across[pair * 8 + i];
    }
    let share = 1.0 / max(total, 1e-30);
    for (var chunk = 0u; chunk < upto(CHUNKS); chunk++) {
      let col = chunk * 8 + tx;
      put_four(row, select(STRIDE, head * D4 + col, is_pair(place, pair) & (col < D4)), acc[r][chunk] * share, lane);
    }
  }
  close_tile(place, lane);
}

/// Zeroes what pads the rows of a tile that has the last head.
fn close_tile(place: Place, lane: u32) {
  if (place.head + SET_HEADS < HEADS) {
    return;
  }
  for (var row = place.begin; row < place.end; row++) {
    for (var base = HEADS * D4; base < STRIDE; base += WG) {
      put_four(row, min(base + lane, STRIDE), vec4<f32>(), lane);
    }
    close_row(row, lane);
  }
}
