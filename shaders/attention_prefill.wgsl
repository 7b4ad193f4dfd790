// y = softmax(q k^T SCALE) v in tiles of 32 queries x 32 keys, with a running maximum and sum.
// q, y [rows, STRIDE] in vec4, heads of D4; kv as in parts/kv; the rows are consecutive positions of one sequence.
// Grid: (ceil(rows / 32), HEADS), one workgroup per tile of queries of a head; tiles past the last position are never read.
// Workgroup memory: 14.5 KiB (14,848 bytes), and that of parts/fours. Threads lie 8 across; each owns ROWS queries x 4 keys of the scores, ROWS queries x one vec4
// of every 32 dimensions of the output. Heads come in CHUNKS of 32 dimensions, so that any length fits.
// Consts: WG (8 * 32 / ROWS), ROWS, CHUNKS, HEADS, GROUP, STRIDE, LOWEST, those of the parts.
// Parts: kv, kv_read, mask, score, sink, loop, fours.
// Paper: FlashAttention-2, arXiv:2307.08691.

/// vec4 from one row of a tile to the next: one more than 8, so that rows fall into different banks.
const PITCH = 9u;

var<workgroup> q_tile: array<vec4<f32>, 32 * PITCH>;
/// A chunk of keys, then of values. Key 4a + b is stored in row 8b + a, next to those that neighbouring lanes read.
var<workgroup> kv_tile: array<vec4<f32>, 32 * PITCH>;
/// Probabilities: [query][keys in vec4].
var<workgroup> p_tile: array<vec4<f32>, 32 * PITCH>;
/// One value per query and lane across.
var<workgroup> across: array<f32, 32 * 8>;

fn key_row(key: u32) -> u32 {
  return (key % 4) * 8 + key / 4;
}

fn load_queries(first: u32, head: u32, chunk: u32, lane: u32) {
  for (var i = lane; i < 256; i += WG) {
    let row = first + i / 8;
    let col = chunk * 8 + i % 8;
    var value = vec4<f32>();
    if (row < step.rows && col < D4) {
      value = vec4<f32>(q[row * STRIDE + head * D4 + col]);
    }
    q_tile[i / 8 * PITCH + i % 8] = value;
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
  let first = wg.x * 32;
  if (first >= step.rows) {
    return;
  }
  let head = wg.y;
  let slot = step.row[first].slot;
  let start = step.row[first].position;
  let end = start + min(step.rows - first, 32);
  let tx = lane % 8;
  let ty = lane / 8 * ROWS;
  var acc: array<array<vec4<f32>, CHUNKS>, ROWS>;
  var top: array<f32, ROWS>;
  var sum: array<f32, ROWS>;
  let of_head = score_head(head);
  for (var r = 0u; r < upto(ROWS); r++) {
    top[r] = sink_top(head);
    // One of the lanes that share a query counts it.
    sum[r] = select(0.0, sink_sum(), tx == 0);
  }
  for (var tile = mask_next(0, start) / 32 * 32; tile < end; tile = mask_next(tile + 32, start) / 32 * 32) {
    var s = array<vec4<f32>, ROWS>();
    for (var chunk = 0u; chunk < upto(CHUNKS); chunk++) {
      workgroupBarrier();
      load_queries(first, head, chunk, lane);
      load_kv(slot, vec2<u32>(tile, end), head, chunk, false, lane);
      workgroupBarrier();
      for (var i = 0u; i < upto(8); i++) {
        let k0 = kv_tile[tx * PITCH + i];
        let k1 = kv_tile[(8 + tx) * PITCH + i];
        let k2 = kv_tile[(16 + tx) * PITCH + i];
        let k3 = kv_tile[(24 + tx) * PITCH + i];
        for (var r = 0u; r < upto(ROWS); r++) {
          let query = q_tile[(ty + r) * PITCH + i];
          s[r] += vec4<f32>(dot(query, k0), dot(query, k1), dot(query, k2), dot(query, k3));
        }
      }
    }
    let key = tile + tx * 4;
    for (var r = 0u; r < upto(ROWS); r++) {
      let position = start + ty + r;
      s[r] = vec4<f32>(
        score(s[r].x, of_head, position, key),
        score(s[r].y, of_head, position, key + 1),
        score(s[r].z, of_head, position, key + 2),
        score(s[r].w, of_head, position, key + 3),
      );
    }
    if (!mask_whole(vec2<u32>(start, start + 31), vec2<u32>(tile, tile + 32))) {
      for (var r = 0u; r < upto(ROWS); r++) {
        let position = start + ty + r;
        s[r] = vec4<f32>(
          select(LOWEST, s[r].x, mask_allows(position, key)),
          select(LOWEST, s[r].y, mask_allows(position, key + 1)),
          select(LOWEST, s[r].z, mask_allows(position, key + 2)),
          select(LOWEST, s[r].w, mask_allows(position, key + 3)),
        );
      }
    }
    for (var r = 0u; r < upto(ROWS); r++) {
      across[(ty + r) * 8 + tx] = max(max(s[r].x, s[r].y), max(s[r].z, s[r].w));
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
      p_tile[(ty + r) * PITCH + tx] = p;
      for (var chunk = 0u; chunk < upto(CHUNKS); chunk++) {
        acc[r][chunk] *= fade;
      }
    }
    for (var chunk = 0u; chunk < upto(CHUNKS); chunk++) {
      workgroupBarrier();
      load_kv(slot, vec2<u32>(tile, end), head, chunk, true, lane);
      workgroupBarrier();
      for (var i = 0u; i < upto(8); i++) {
        let v0 = kv_tile[(4 * i) * PITCH + tx];
        let v1 = kv_tile[(4 * i + 1) * PITCH + tx];
        let v2 = kv_tile[(4 * i + 2) * PITCH + tx];
        let v3 = kv_tile[(4 * i + 3) * PITCH + tx];
        for (var r = 0u; r < upto(ROWS); r++) {
          let p = p_tile[(ty + r) * PITCH + i];
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
    let row = first + ty + r;
    var total = 0.0;
    for (var i = 0u; i < upto(8); i++) {
      total += across[(ty + r) * 8 + i];
    }
    let share = 1.0 / max(total, 1e-30);
    for (var chunk = 0u; chunk < upto(CHUNKS); chunk++) {
      let col = chunk * 8 + tx;
      let inside = (row < step.rows) & (col < D4);
      put_four(row, select(STRIDE, head * D4 + col, inside), acc[r][chunk] * share, lane);
    }
    if (head == HEADS - 1) {
      for (var base = HEADS * D4; base < STRIDE; base += 8) {
        put_four(row, select(STRIDE, min(base + tx, STRIDE), row < step.rows), vec4<f32>(), lane);
      }
    }
  }
  if (head == HEADS - 1) {
    for (var row = first; row < min(first + 32, step.rows); row++) {
      close_row(row, lane);
    }
  }
}
