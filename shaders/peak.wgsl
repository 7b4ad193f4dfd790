// y[row, i] = the sum of eight or three chains of vectors, each ROUNDS * 4 steps long: what an adapter computes when it needs no memory.
// x [rows, 8] f32, the same for all rows: two vectors that no compiler knows; y [rows, THREADS] f32.
// Grid: (THREADS / WG, rows). WIDE: eight chains hide a GPU's latency, three fit the vector registers of a CPU.
// Workgroup memory: none. Consts: WG, THREADS, ROUNDS, WIDE. Parts: peak (num4, in4, load, start, advance, total).

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let a = load(0u);
  let b = load(1u);
  var c0 = start(id.x);
  var c1 = start(id.x + 1u);
  var c2 = start(id.x + 2u);
  var sum = 0.0;
  if (WIDE) {
    var c3 = start(id.x + 3u);
    var c4 = start(id.x + 4u);
    var c5 = start(id.x + 5u);
    var c6 = start(id.x + 6u);
    var c7 = start(id.x + 7u);
    for (var i = 0u; i < ROUNDS; i++) {
      c0 = four(c0, a, b);
      c1 = four(c1, a, b);
      c2 = four(c2, a, b);
      c3 = four(c3, a, b);
      c4 = four(c4, a, b);
      c5 = four(c5, a, b);
      c6 = four(c6, a, b);
      c7 = four(c7, a, b);
    }
    sum = total(c3) + total(c4) + total(c5) + total(c6) + total(c7);
  } else {
    for (var i = 0u; i < ROUNDS; i++) {
      c0 = four(c0, a, b);
      c1 = four(c1, a, b);
      c2 = four(c2, a, b);
    }
  }
  y[id.y * THREADS + id.x] = sum + total(c0) + total(c1) + total(c2);
}

fn four(c: num4, a: in4, b: in4) -> num4 {
  return advance(advance(advance(advance(c, a, b), a, b), a, b), a, b);
}
