// shared_ring: a ring of 8 slots in a SharedArrayBuffer between two threads. A full ring
// blocks the producer and an empty one the consumer, by Atomics.wait. sluice's ring mode
// does the same between processes.
//
//   node scripts/peers/node/shared_ring.js throughput|roundtrip BYTES MESSAGES CPU_A CPU_B [spin]
'use strict';
const { main, warmUp, words, length, type, fail } = require('./peer.js');

const SLOTS = 8;
const WRITE = 0, READ = 32; // on separate cache lines
const CONTROL = 256; // bytes

class Ring {
  constructor(memory, way, job) {
    const { bytes, spin } = job;
    const start = way * (CONTROL + SLOTS * bytes);
    this.control = new Int32Array(memory, start, CONTROL / 4);
    this.slots = Array.from({ length: SLOTS }, (_, i) => new (type(job))(memory, start + CONTROL + i * bytes, length(job)));
    this.spin = spin;
    this.at = 0; // messages sent or received
  }

  put(number) {
    for (let read; this.at - (read = Atomics.load(this.control, READ)) === SLOTS; )
      if (!this.spin) Atomics.wait(this.control, READ, read);
    this.slots[this.at % SLOTS].fill(number);
    this.advance(WRITE);
  }

  take() {
    while (Atomics.load(this.control, WRITE) === this.at)
      if (!this.spin) Atomics.wait(this.control, WRITE, this.at);
    const sum = words(this.slots[this.at % SLOTS]);
    this.advance(READ);
    return sum;
  }

  advance(index) {
    Atomics.store(this.control, index, ++this.at);
    if (!this.spin) Atomics.notify(this.control, index, 1);
  }
}

const memory = ({ bytes }) => new SharedArrayBuffer(2 * (CONTROL + SLOTS * bytes));

function a(job, memory, worker, watch) {
  const there = new Ring(memory, 0, job), back = new Ring(memory, 1, job);
  const ask = (number) => {
    there.put(number);
    if (back.take() !== length(job) * number) fail(`echo ${number} is not what was sent`);
  };
  const one = job.roundtrip ? ask : (number) => there.put(number);
  for (let i = 0; i < warmUp(job); i++) one(0);
  if (!job.roundtrip) back.take(); // B has them
  watch.start();
  for (let i = 0; i < job.messages; i++) one(i);
  if (!job.roundtrip) back.take();
  watch.end();
}

function b(job, memory, check) {
  const there = new Ring(memory, 0, job), back = new Ring(memory, 1, job);
  for (const measured of [false, true]) {
    const messages = measured ? job.messages : warmUp(job);
    let sum = 0;
    for (let i = 0; i < messages; i++) {
      sum += there.take();
      if (measured && i === messages - 1) check(sum);
      if (job.roundtrip) back.put(measured ? i : 0);
    }
    if (!job.roundtrip) back.put(0);
  }
}

main(__filename, memory, a, b);
