// Of each page that a row fills: what quantizing its keys, or values, lost, as a matrix of rank 2, written behind what the page shares. From
// two vectors of signs on, tokens follow from dimensions and dimensions from tokens by least squares, in TURNS.
// Numbers as they were from parts/kv_own; kv as in parts/kv_pages, with the page's codes. What is no number counts as nothing lost.
// Grid: (2 * KV_HEADS, rows), one workgroup per K or V of a kv head and row; lanes take tokens and fours of dimensions in turns, each sum is
// made by one lane, so that factors do not depend on WG. Workgroup memory: that of parts/kv_factors.
// Loops end at numbers that drivers do not know, and loads have one site each: CPU drivers would unroll them and compile for seconds.
// Consts: WG, PAGE_TOKENS, MAX_PAGES, TURNS, those of the parts. Parts: kv_read/pages, kv_repair/none, kv_own, kv_factors, kv_pages/places.
// Paper: GEAR, arXiv:2403.05527; subspace iteration.

/// Four of what a token lost. `own`: its number in parts/kv_own; `base`: the head's keys, or values, in kv.
fn lost(own: u32, base: u32, token: u32, values: bool, i: u32) -> vec4<f32> {
  var four: vec4<f32>;
  var range: PageRange;
  if (values) {
    let scale = unpack2x16float(kv[base + PAGE_TOKENS * CODE_WORDS + token * BLOCKS + i / BLOCK4]);
    range = PageRange(vec4<f32>(scale.x), vec4<f32>(scale.y));
    four = own_value(own, i);
  } else {
    range = pages_key_range(base, i);
    four = own_key(own, i);
  }
  four -= pages_codes(kv[base + token * CODE_WORDS + i / CODE_FOURS], i) * range.step + range.least;
  let finite = (bitcast<vec4<u32>>(four) & vec4<u32>(0x7f800000u)) != vec4<u32>(0x7f800000u);
  return select(vec4<f32>(), four, finite);
}

/// Signs of a dimension.
fn signs(dim: u32) -> vec2<f32> {
  let mixed = vec2<u32>((dim + 1) * 2654435761u) >> vec2<u32>(31, 20);
  return vec2<f32>(mixed & vec2<u32>(1)) * 2.0 - 1.0;
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
  if (row >= step.rows) {
    return;
  }
  let position = step.row[row].position;
  if (position % PAGE_TOKENS != PAGE_TOKENS - 1) {
    return;
  }
  let slot = step.row[row].slot;
  let head = wg.x / 2;
  let values = wg.x % 2 == 1;
  let page = pages[slot * MAX_PAGES + position / PAGE_TOKENS];
  let base = select(page_keys(page, head), page_values(page, head), values);
  let own = own_index(slot, position - (PAGE_TOKENS - 1), head);
  let tokens = PAGE_TOKENS + step.reserved0;
  let fours = D4 + step.reserved0;
  for (var dim = lane; dim < 4 * fours; dim += WG) {
    factors[PAGE_TOKENS + dim] = signs(dim);
  }
  factors_wait();
  for (var turn = 0u; turn < TURNS + step.reserved0; turn++) {
    // Whether dimensions follow from tokens.
    let of_dims = turn % 2 == 1;
    let known = select(PAGE_TOKENS, 0u, of_dims);
    let count = select(4 * fours, tokens, of_dims);
    straighten(known, count, lane);
    let sum = sums(known, count);
    for (var a = lane; a < select(tokens, fours, of_dims); a += WG) {
      var first = vec4<f32>();
      var second = vec4<f32>();
      for (var b = 0u; b < select(fours, tokens, of_dims); b++) {
        let token = select(a, b, of_dims);
        let four = lost(own + token, base, token, values, select(b, a, of_dims));
        // Those of a token for all four, or of four dimensions one each.
        let at = select(PAGE_TOKENS + 4 * b, b, of_dims);
        let pitch = select(1u, 0u, of_dims);
        let f0 = factors[at];
        let f1 = factors[at + pitch];
        let f2 = factors[at + 2 * pitch];
        let f3 = factors[at + 3 * pitch];
        first += four * vec4<f32>(f0.x, f1.x, f2.x, f3.x);
        second += four * vec4<f32>(f0.y, f1.y, f2.y, f3.y);
      }
      if (of_dims) {
        let to = PAGE_TOKENS + 4 * a;
        factors[to] = solved(vec2<f32>(first.x, second.x), sum);
        factors[to + 1] = solved(vec2<f32>(first.y, second.y), sum);
        factors[to + 2] = solved(vec2<f32>(first.z, second.z), sum);
        factors[to + 3] = solved(vec2<f32>(first.w, second.w), sum);
      } else {
        factors[a] = solved(vec2<f32>(dot(first, vec4<f32>(1.0)), dot(second, vec4<f32>(1.0))), sum);
      }
    }
    factors_wait();
  }
  let to = select(pages_key_repair(base), pages_value_repair(base), values);
  for (var n = lane; n < tokens + 4 * fours; n += WG) {
    kv[to + n] = pack2x16float(clamp(factors[n], vec2<f32>(-KV_MAX), vec2<f32>(KV_MAX)));
  }
}
