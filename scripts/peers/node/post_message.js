// post_message: a new ArrayBuffer per message, transferred to the other thread by
// postMessage. sluice's transfer mode does the same between processes.
//
//   node scripts/peers/node/post_message.js throughput|roundtrip BYTES MESSAGES CPU_A CPU_B
//
// postMessage never blocks. To bound memory, A waits for B after every 10,000 messages
// or 64 MiB, whichever comes first.
'use strict';
const { main, warmUp, words, unsupported, fail } = require('./peer.js');

const memory = () => new SharedArrayBuffer(4); // messages that B has read

function message(job, number) {
  const words = new Float64Array(job.bytes / 8);
  words.fill(number);
  return words.buffer;
}

function a(job, memory, worker, watch) {
  if (job.spin || job.bytes % 8) unsupported();
  const read = new Int32Array(memory);
  const send = (number) => {
    const buffer = message(job, number);
    worker.postMessage(buffer, [buffer]);
  };
  if (job.roundtrip) {
    let next = -warmUp(job); // counts up; those below 0 are not measured
    worker.on('message', (buffer) => {
      if (words(new Float64Array(buffer)) !== (job.bytes / 8) * Math.max(next, 0)) fail(`echo ${next} is not what was sent`);
      if (++next === 0) watch.start();
      if (next === job.messages) watch.end();
      else send(Math.max(next, 0));
    });
    send(0);
    return;
  }
  let sent = 0;
  const reached = () => {
    for (let got; (got = Atomics.load(read, 0)) < sent; ) Atomics.wait(read, 0, got);
  };
  for (let i = 0; i < warmUp(job); i++, sent++) send(0);
  reached();
  watch.start();
  for (let i = 0; i < job.messages; i++) {
    send(i);
    if (++sent % window(job) === 0) reached();
  }
  reached();
  watch.end();
}

const window = ({ bytes }) => Math.max(1, Math.min(10000, Math.floor(2 ** 26 / bytes)));

function b(job, memory, check, port) {
  const read = new Int32Array(memory);
  const all = warmUp(job) + job.messages;
  let sum = 0, count = 0;
  port.on('message', (buffer) => {
    sum += words(new Float64Array(buffer));
    if (++count === all) check(sum);
    if (job.roundtrip) {
      port.postMessage(buffer, [buffer]);
      return;
    }
    Atomics.store(read, 0, count);
    if (count === warmUp(job) || count === all || count % window(job) === 0) Atomics.notify(read, 0);
  });
}

main(__filename, memory, a, b);
