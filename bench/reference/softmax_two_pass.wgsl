// Softmax of rows in two passes: sums as pairs (mantissa, exponent) that cannot overflow, so that no pass looks for the maximum.
// x, y [rows, STRIDE] in vec4; partial [rows, PARTS] of pairs, total [rows].
// Entry points in order: sums (a thread for each FOURS vec4), merge (a workgroup for each row), write (as sums).
// Consts: STRIDE (vec4 of a row, a multiple of WG FOURS), PARTS, FOURS, WG.
// Source: Dukhan and Ablavatski, arXiv:2001.04438.

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> partial: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read_write> total: array<vec2<f32>>;

struct Pairs {
  mantissa: vec4<f32>,
  exponent: vec4<f32>,
}

/// exp(x) = mantissa * 2^exponent, the mantissa between 0.7 and 1.42. ln 2 in two parts, the first exact in products with exponents.
fn exp_pairs(value: vec4<f32>) -> Pairs {
  let n = round(value * 1.44269504);
  let t = fma(n, vec4<f32>(-1.42860677e-6), fma(n, vec4<f32>(-0.693145752), value));
  var p = fma(t, vec4<f32>(0.00836224), vec4<f32>(0.0416695));
  p = fma(t, p, vec4<f32>(0.16666424));
  p = fma(t, p, vec4<f32>(0.49999969));
  p = fma(t, p, vec4<f32>(1.0));
  return Pairs(fma(t, p, vec4<f32>(1.0)), n);
}

/// 2^n for n up to 0.
fn power(n: vec4<f32>) -> vec4<f32> {
  return bitcast<vec4<f32>>(vec4<u32>(max(n, vec4<f32>(-127.0)) + 127.0) << vec4<u32>(23));
}

fn add(a: Pairs, b: Pairs) -> Pairs {
  let exponent = max(a.exponent, b.exponent);
  return Pairs(a.mantissa * power(a.exponent - exponent) + b.mantissa * power(b.exponent - exponent), exponent);
}

/// Of four pairs one.
fn joined(pairs: Pairs) -> vec2<f32> {
  let e = pairs.exponent;
  let exponent = max(max(e.x, e.y), max(e.z, e.w));
  return vec2<f32>(dot(pairs.mantissa, power(e - exponent)), exponent);
}

@compute @workgroup_size(WG)
fn sums(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  var sum = Pairs(vec4<f32>(), vec4<f32>(-1e30));
  let start = wg.y * STRIDE + wg.x * WG * FOURS + lane;
  for (var i = 0u; i < FOURS; i++) {
    sum = add(sum, exp_pairs(x[start + i * WG]));
  }
  partial[wg.y * PARTS + wg.x * WG + lane] = joined(sum);
}

var<workgroup> lanes: array<vec2<f32>, WG>;

@compute @workgroup_size(WG)
fn merge(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  var sum = Pairs(vec4<f32>(), vec4<f32>(-1e30));
  for (var i = lane; i < PARTS; i += WG) {
    let own = partial[wg.x * PARTS + i];
    sum = add(sum, Pairs(vec4<f32>(own.x, 0, 0, 0), vec4<f32>(own.y)));
  }
  lanes[lane] = joined(sum);
  workgroupBarrier();
  if (lane == 0) {
    for (var i = 1u; i < WG; i++) {
      sum = add(sum, Pairs(vec4<f32>(lanes[i].x, 0, 0, 0), vec4<f32>(lanes[i].y)));
    }
    total[wg.x] = joined(sum);
  }
}

@compute @workgroup_size(WG)
fn write(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let sum = total[wg.y];
  let inverse = 1.0 / sum.x;
  let start = wg.y * STRIDE + wg.x * WG * FOURS + lane;
  for (var i = 0u; i < FOURS; i++) {
    let pairs = exp_pairs(x[start + i * WG]);
    y[start + i * WG] = pairs.mantissa * inverse * power(pairs.exponent - sum.y);
  }
}
