// Of each page that a row fills: what quantizing its keys, or values, lost, as a matrix of rank 2, written behind what the page shares. From
// products with two vectors of signs on, dimensions follow from tokens and tokens from dimensions by least squares, in turns.
// Numbers as they were from parts/kv_own; kv as in parts/kv_pages, with the page's codes. What is no number counts as nothing lost.
// Grid: (2 * KV_HEADS, rows), one workgroup per K or V of a kv head and row; lanes take tokens and fours of dimensions in turns, each sum is
// made by one lane, so that factors do not depend on WG. Workgroup memory: that of parts/kv_factors.
// Consts: WG, PAGE_TOKENS, MAX_PAGES, ROUNDS, those of the parts. Parts: kv_read/pages, kv_repair/none, kv_own, kv_factors, kv_pages/places.
// Paper: GEAR, arXiv:2403.05527; subspace iteration.

const REPAIR_FACTORS = PAGE_TOKENS + 4 * D4;

/// Four of what a token lost. `own`, `at`: its numbers in parts/kv_own and in the page.
fn lost(own: u32, at: u32, values: bool, i: u32) -> vec4<f32> {
  var four: vec4<f32>;
  if (values) {
    four = own_value(own, i) - kv_value(at, i);
  } else {
    four = own_key(own, i) - kv_key(at, i);
  }
  let finite = (bitcast<vec4<u32>>(four) & vec4<u32>(0x7f800000u)) != vec4<u32>(0x7f800000u);
  return select(vec4<f32>(), four, finite);
}

fn signs(i: u32, bit: u32) -> vec4<f32> {
  let mixed = (vec4<u32>(4 * i) + vec4<u32>(1, 2, 3, 4)) * 2654435761u;
  return select(vec4<f32>(-1.0), vec4<f32>(1.0), ((mixed >> vec4<u32>(bit)) & vec4<u32>(1)) != vec4<u32>());
}

/// Squares and products of two columns, summed.
fn sums(first: u32, count: u32) -> vec3<f32> {
  var sum = vec3<f32>();
  for (var n = first; n < first + count; n++) {
    let x = factors[n];
    sum += x.xxy * x.xyy;
  }
  return sum;
}

/// Makes two columns orthogonal and their largest 1, in f16.
fn straighten(first: u32, count: u32, lane: u32) {
  let sum = sums(first, count);
  let share = select(0.0, sum.y / sum.x, sum.x > 0);
  var most = vec2<f32>();
  for (var n = first; n < first + count; n++) {
    let x = factors[n];
    most = max(most, abs(vec2<f32>(x.x, x.y - share * x.x)));
  }
  let scale = select(vec2<f32>(), 1.0 / most, most > vec2<f32>());
  factors_wait();
  for (var n = first + lane; n < first + count; n += WG) {
    let x = factors[n];
    factors[n] = unpack2x16float(pack2x16float(vec2<f32>(x.x, x.y - share * x.x) * scale));
  }
  factors_wait();
}

/// Least squares: `dots` are the products of what is looked for with the columns that `sum` is of.
fn solved(dots: vec2<f32>, sum: vec3<f32>) -> vec2<f32> {
  let determinant = sum.x * sum.z - sum.y * sum.y;
  if (determinant > 0.001 * sum.x * sum.z) {
    return (dots * sum.zx - dots.yx * sum.y) / determinant;
  }
  return vec2<f32>(select(0.0, dots.x / sum.x, sum.x > 0), 0.0);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = wg.y;
  let position = step.row[row].position;
  if (row >= step.rows || position % PAGE_TOKENS != PAGE_TOKENS - 1) {
    return;
  }
  let slot = step.row[row].slot;
  let head = wg.x / 2;
  let values = wg.x % 2 == 1;
  let page = pages[slot * MAX_PAGES + position / PAGE_TOKENS];
  let at = (page * KV_HEADS + head) * PAGE_TOKENS;
  let own = own_index(slot, position - (PAGE_TOKENS - 1), head);
  for (var token = lane; token < PAGE_TOKENS; token += WG) {
    var sum = vec2<f32>();
    for (var i = 0u; i < D4; i++) {
      let four = lost(own + token, at + token, values, i);
      sum += vec2<f32>(dot(four, signs(i, 31)), dot(four, signs(i, 20)));
    }
    factors[token] = sum;
  }
  factors_wait();
  for (var round = 0u; round < ROUNDS; round++) {
    straighten(0, PAGE_TOKENS, lane);
    let of_tokens = sums(0, PAGE_TOKENS);
    for (var i = lane; i < D4; i += WG) {
      var first = vec4<f32>();
      var second = vec4<f32>();
      for (var token = 0u; token < PAGE_TOKENS; token++) {
        let four = lost(own + token, at + token, values, i);
        first += four * factors[token].x;
        second += four * factors[token].y;
      }
      for (var d = 0u; d < 4; d++) {
        factors[PAGE_TOKENS + 4 * i + d] = solved(vec2<f32>(first[d], second[d]), of_tokens);
      }
    }
    factors_wait();
    straighten(PAGE_TOKENS, 4 * D4, lane);
    let of_dims = sums(PAGE_TOKENS, 4 * D4);
    for (var token = lane; token < PAGE_TOKENS; token += WG) {
      var sum = vec2<f32>();
      for (var i = 0u; i < D4; i++) {
        let four = lost(own + token, at + token, values, i);
        for (var d = 0u; d < 4; d++) {
          sum += four[d] * factors[PAGE_TOKENS + 4 * i + d];
        }
      }
      factors[token] = solved(sum, of_dims);
    }
    factors_wait();
  }
  let to = select(pages_key_repair(page_keys(page, head)), pages_value_repair(page_values(page, head)), values);
  for (var n = lane; n < REPAIR_FACTORS; n += WG) {
    kv[to + n] = pack2x16float(clamp(factors[n], vec2<f32>(-KV_MAX), vec2<f32>(KV_MAX)));
  }
}
