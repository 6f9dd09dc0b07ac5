// Shared by the two programs for Node.js: the command line, the payload and the output
// of ../peer.h. Side A is the main thread and side B a worker of one process; each is
// pinned to its processor by taskset. The words of a message are doubles, which
// JavaScript reads fastest; a message of 4 bytes is an Int32.
'use strict';
const { execFileSync } = require('child_process');
const { readlinkSync, writeSync } = require('fs');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');

function unsupported() {
  console.log('unsupported');
  process.exit(0);
}

function parse(args) {
  const [kind, bytes, messages, a, b, spin] = args;
  if (kind === 'paced') unsupported();
  const job = { roundtrip: kind === 'roundtrip', bytes: +bytes, messages: +messages, cpu: [+a, +b], spin: spin === 'spin' };
  if ((kind !== 'throughput' && kind !== 'roundtrip') || args.length !== (job.spin ? 6 : 5) || !(job.bytes > 0) || !(job.messages > 0)) {
    console.error('usage: node PEER throughput|roundtrip BYTES MESSAGES CPU_A CPU_B [spin]');
    process.exit(2);
  }
  if (job.bytes % 8 && job.bytes !== 4) unsupported();
  return job;
}

// words of a message, and their type.
const length = ({ bytes }) => Math.max(1, bytes / 8);
const type = ({ bytes }) => (bytes === 4 ? Int32Array : Float64Array);

const taskset = (...args) => execFileSync('taskset', args, { stdio: ['ignore', 'ignore', 'inherit'] });

// pin moves the calling thread to its processor; the first time, all threads of the
// process to the two.
function pin(job) {
  const [pid, , thread] = readlinkSync('/proc/thread-self').split('/');
  if (isMainThread) taskset('-acp', job.cpu.join(','), pid);
  taskset('-cp', String(job.cpu[isMainThread ? 0 : 1]), thread);
}

function words(message) {
  let a = 0, b = 0, c = 0, d = 0, i = 0;
  for (; i + 4 <= message.length; i += 4) {
    a += message[i];
    b += message[i + 1];
    c += message[i + 2];
    d += message[i + 3];
  }
  for (; i < message.length; i++) a += message[i];
  return a + b + c + d;
}

function fail(what) {
  writeSync(2, `${what}\n`);
  if (isMainThread) process.exit(1);
  process.kill(process.pid); // the main thread may be waiting for this one
}

// warmUp is how many messages, all with the number 0, are sent before the first measured
// one, so that the code is compiled.
const warmUp = ({ bytes }) => Math.max(10, Math.min(5000, Math.floor(2 ** 24 / bytes)));

// main runs a(job, memory, worker, watch) in the main thread and b(job, memory,
// check, port) in the worker. memory(job) is shared by both. a calls watch.start when B
// has received the warm-up and watch.end when B has read all messages; before that, b
// calls check with the sum of all messages.
function main(file, memory, a, b) {
  if (!isMainThread) {
    const { job, shared } = workerData;
    pin(job);
    const want = length(job) * ((job.messages * (job.messages - 1)) / 2);
    b(job, shared, (sum) => sum === want || fail(`the sum is ${sum}, not ${want}`), parentPort);
    return;
  }
  const job = parse(process.argv.slice(2));
  const shared = memory(job);
  pin(job);
  const worker = new Worker(file, { workerData: { job, shared } });
  worker.on('error', (error) => fail(error.stack));
  let began, before;
  a(job, shared, worker, {
    start() {
      before = process.cpuUsage();
      began = process.hrtime.bigint();
    },
    end() {
      const seconds = Number(process.hrtime.bigint() - began) / 1e9;
      const used = process.cpuUsage(before);
      console.log(`${seconds.toFixed(6)} ${((used.user + used.system) / 1e6).toFixed(6)}`);
      process.exit(0);
    },
  });
}

module.exports = { main, warmUp, words, length, type, unsupported, fail };
