// Fetches /live.json each second and draws it. Whatever comes from a segment is set as text,
// never as markup.
'use strict';

const svgWidth = 300, svgHeight = 40;
const pollInterval = 1000;  // ms between two requests
const fetchTimeout = 5000;  // ms
const unknown = '–';

const byId = (id) => document.getElementById(id);

// setText and setAttr change nothing that is the same already: a screen reader would read it
// again, and a selection would be lost.
function setText(el, text) {
  if (el.textContent !== text) el.textContent = text;
}
function setAttr(el, name, value) {
  if (el.getAttribute(name) !== String(value)) el.setAttribute(name, value);
}

// Numbers, as internal/format writes them for the commands.

// scaled has one digit after the point below whole.
function scaled(n, base, units, whole) {
  let i = 0;
  while (n >= base * 0.9995 && i < units.length - 1) { n /= base; i++; }
  const digits = i === 0 || n >= whole ? 0 : 1;
  return Number(n.toFixed(digits)) + (units[i] ? ' ' + units[i] : '');
}
function count(n) {
  if (n === null || n === undefined) return unknown;
  return n < 99999.5 ? Math.round(n).toLocaleString('en-US') : scaled(n, 1000, ['', 'k', 'M', 'G', 'T', 'P', 'E'], 99.95);
}
function bytes(n) {
  return n === null || n === undefined ? unknown : scaled(n, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'], 9.95);
}
function nanoseconds(ns) {
  if (ns === null || ns === undefined) return unknown;
  return ns < 1e9 * 0.9995 ? scaled(ns, 1000, ['ns', 'µs', 'ms'], 99.95) : (ns / 1e9).toFixed(ns < 1e10 ? 1 : 0) + ' s';
}
function percent(share) { return Math.round(100 * share) + ' %'; }
function duration(seconds) {
  const s = Math.round(seconds);
  if (s < 60) return s + ' s';
  if (s < 3600) return Math.floor(s / 60) + ' min ' + s % 60 + ' s';
  if (s < 172800) return Math.floor(s / 3600) + ' h ' + Math.floor(s % 3600 / 60) + ' min';
  return Math.floor(s / 86400) + ' d';
}
function messages(n) { return n === 1 ? '1 message' : count(n) + ' messages'; }

// The sign of each severity. They differ in shape too, not only in colour.
const signs = { good: '●', calm: '○', warn: '▲', bad: '■' };

// spark draws values, newest at the right, between 0 and top; words(v) is a value in words, for
// screen readers.
function spark(svg, values, top, points, what, words) {
  const step = svgWidth / (points - 1);
  const x = (i) => (svgWidth - (values.length - 1 - i) * step).toFixed(1);
  const y = (v) => (svgHeight - 1 - (svgHeight - 2) * Math.min(1, v / (top || 1))).toFixed(1);
  let line = values.map((v, i) => (i ? 'L' : 'M') + x(i) + ' ' + y(v)).join('');
  if (values.length === 1) line += 'h0.1';
  const area = values.length ? line + 'L' + svgWidth + ' ' + svgHeight + 'L' + x(0) + ' ' + svgHeight + 'Z' : '';
  setAttr(svg.querySelector('.line'), 'd', line);
  setAttr(svg.querySelector('.area'), 'd', area);
  setAttr(svg, 'aria-label', values.length === 0 ? what + ': nothing seen yet' :
    what + ': ' + words(values[values.length - 1]) + ' now, ' + words(Math.min(...values)) + ' to ' +
    words(Math.max(...values)) + ' in the time shown');
}

function drawSide(section, role, side, column, points, seen) {
  const where = section.querySelector('.where');
  setText(where, (side.alive ? '● ' : '○ ') + side.where);
  where.classList.toggle('alive', side.alive);
  setText(section.querySelector('.blocked'), seen && side.alive ? percent(side.blocked) : unknown);
  spark(section.querySelector('.spark'), column, 1, points, role + ' blocked', percent);
}

function drawQueue(section, r, depths, points) {
  const full = Math.round(100 * r.fill); // 0 for null
  const bar = section.querySelector('.bar');
  setAttr(bar, 'aria-valuenow', full);
  setAttr(bar, 'aria-valuetext', r.fill === null ? 'no limit' : full + ' % full');
  bar.querySelector('.level').style.width = 100 * r.fill + '%';
  const size = r.slotBytes ? ' of ' + bytes(r.slotBytes) : '';
  setText(section.querySelector('.depth'), r.slots ? count(r.queueDepth) + ' of ' + count(r.slots) + ' slots' + size : messages(r.queueDepth));
  const most = r.capacityBytes || r.limitBytes;
  setText(section.querySelector('.bytes'), bytes(r.queueBytes) + (most ? ' of ' + bytes(most) : ', no limit'));
  spark(section.querySelector('.spark'), depths, Math.max(...depths), points, 'queue depth', messages);
}

function problems(p) {
  const r = p.report, parts = [];
  if (r.limitReached) parts.push('the limit of ' + bytes(r.limitBytes) + ' is reached: the producer can send no more');
  if (r.droppedCount) parts.push(messages(r.droppedCount) + ' dropped');
  if (r.refusedCount) {
    const why = r.refuseReason && r.refuseReason !== 'none' && !r.limitReached ? ', last reason: ' + r.refuseReason : '';
    parts.push((r.refusedCount === 1 ? '1 send' : count(r.refusedCount) + ' sends') + ' refused' + why);
  }
  if (r.latenessExplains) {
    parts.push('the producer itself was late by half of the response or more; this could explain it at ' +
      r.latenessExplains.replaceAll(' ', ', ').replace('p999', 'p99.9'));
  }
  if (r.unsentCount > p.waiting) parts.push(messages(r.unsentCount - p.waiting) + ' due and not sent');
  if (r.lostCount) parts.push(messages(r.lostCount) + ' lost: queued by a producer that died or gave up');
  return parts.join(' · ');
}

// drawBridge draws what there is to say of bridges, anew when it changes.
function drawBridge(box, rows) {
  const now = JSON.stringify(rows);
  if (box.drawn === now) return;
  box.drawn = now;
  box.replaceChildren(...rows.flatMap((line) => [element('dt', '', line.name), element('dd', '', line.text)]));
}

function drawPair(card, p, points) {
  const r = p.report, h = p.history, one = (c) => card.querySelector(c);
  const seen = h.throughput.length > 0;
  setText(one('.mode'), r.backPressure ? `${r.mode} (${r.backPressure})` : r.mode);
  const bad = seen ? p.severity : 'calm';
  setAttr(one('.verdict'), 'class', 'verdict ' + bad);
  setText(one('.sign'), signs[bad]);
  setText(one('.kind'), seen ? r.verdict : 'looking ...');
  setText(one('.held'), seen && p.heldSec >= 1 ? 'for ' + duration(p.heldSec) : '');
  setText(one('.why'), seen ? r.verdictWhy : '');
  setText(one('.advice'), seen ? r.verdictAdvice : '');
  drawSide(one('.producer'), 'producer', p.producer, h.producerBlocked, points, seen);
  drawSide(one('.consumer'), 'consumer', p.consumer, h.consumerBlocked, points, seen);
  drawQueue(one('.queue'), r, h.depth, points);
  setText(one('.rate'), (seen ? count(r.throughputPerSec) : unknown) + ' msg/s');
  setText(one('.more'), seen ? bytes(p.consumedBytesPerSec) + '/s · produced ' + count(p.producedPerSec) + '/s · peak ' + count(Math.max(...h.throughput)) : '');
  spark(one('.throughput .spark'), h.throughput, Math.max(...h.throughput), points, 'throughput', (v) => count(v) + ' messages a second');
  one('.response').hidden = !p.scheduled;
  one('.lateness').hidden = !r.latenessExplains; // else it does not matter
  for (const time of ['latency', 'response', 'lateness']) {
    for (const key of ['p50', 'p90', 'p99', 'max', 'mean']) setText(one('.' + time + ' .' + key), nanoseconds((r[time] || {})[key]));
  }
  for (const el of card.querySelectorAll('.scheduled')) el.hidden = !p.scheduled;
  one('.waits').hidden = !p.scheduled;
  setText(one('.waiting'), count(p.waiting));
  setText(one('.offered'), count(r.offeredCount));
  setText(one('.offeredRate'), seen ? count(r.offeredPerSec) : unknown);
  setText(one('.consumed'), count(r.consumedCount));
  setText(one('.highest'), count(r.highWater));
  setText(one('.memory'), bytes(r.memoryBytes));
  drawBridge(one('.bridge'), p.bridge || []);
  setText(one('.trouble'), problems(p));
}

// cards are the articles on the page, by the name of the segment and whether it can be read.
const cards = new Map();

function cardOf(p) {
  const kind = p.error ? 'unreadable' : 'pair', key = kind + ' ' + p.name;
  let card = cards.get(key);
  if (!card) {
    card = byId(kind).content.firstElementChild.cloneNode(true);
    setText(card.querySelector('.name'), p.name);
    card.setAttribute('aria-label', 'segment ' + p.name);
    cards.set(key, card);
  }
  return card;
}

// Groups and chains. They are few, and drawn anew when they change.

const clone = (id) => byId(id).content.firstElementChild.cloneNode(true);

function element(name, className, text) {
  const el = document.createElement(name);
  el.className = className;
  el.textContent = text;
  return el;
}

function share(x) { return x === null ? unknown : percent(x); }

// drawGroup draws a process that several segments have in common, with the share of each.
function drawGroup(g) {
  const card = clone('group'), one = (c) => card.querySelector(c);
  card.setAttribute('aria-label', g.kind + ' of ' + g.process);
  setText(one('.name'), g.kind);
  setText(one('.mode'), g.process + (g.kind === 'fan-in' ? ' takes from ' : ' sends to ') + g.members.length + ' segments');
  setText(one('.why'), (g.trouble ? signs.warn + ' ' : '') + g.says);
  for (const m of g.members) {
    const row = clone('share');
    setText(row.querySelector('.name'), m.name);
    row.querySelector('.level').style.width = 100 * (m.messages || 0) + '%';
    setText(row.querySelector('.messages'), share(m.messages));
    setText(row.querySelector('.bytes'), share(m.bytes));
    const state = row.querySelector('.state');
    setText(state, m.heldUp ? signs.warn + ' blocked' : '');
    state.classList.toggle('held', m.heldUp);
    one('tbody').append(row);
  }
  return card;
}

function drawRings(rings) {
  const box = element('div', 'rings', '');
  for (const place of rings) {
    const ring = element('div', 'ring', place.name);
    if (place.bottleneck) {
      ring.classList.add('bottleneck');
      ring.append(element('small', '', ' ' + signs.bad + ' bottleneck: its consumer'));
    } else if (place.heldUp) {
      ring.append(element('small', 'held', ' ' + signs.warn + ' blocked'));
    }
    box.append(ring);
  }
  return box;
}

// drawChain draws segments and the processes between them. A stage that does not go on from the one
// before begins a line.
function drawChain(c) {
  const card = clone('chain'), stages = card.querySelector('.stages');
  card.setAttribute('aria-label', 'chain');
  let before = '';
  for (const s of c.stages) {
    const from = JSON.stringify(s.from);
    if (from !== before) {
      if (before) stages.append(element('div', 'break', ''));
      stages.append(drawRings(s.from));
    }
    stages.append(element('span', 'arrow', '→'), element('span', 'process', s.process), element('span', 'arrow', '→'), drawRings(s.to));
    before = JSON.stringify(s.to);
  }
  for (const t of c.says) card.querySelector('.why').append(element('li', '', (c.trouble ? signs.warn + ' ' : '') + t));
  return card;
}

let flowDrawn = '';

function drawFlow(live) {
  const chains = live.chains || [], groups = live.groups || [], now = JSON.stringify([chains, groups]);
  if (now === flowDrawn) return;
  flowDrawn = now;
  byId('flow').replaceChildren(...chains.map(drawChain), ...groups.map(drawGroup));
}

function draw(live) {
  drawFlow(live);
  const list = byId('pairs'), now = new Set();
  setText(byId('host'), live.host);
  live.pairs.forEach((p, i) => {
    const card = cardOf(p);
    now.add(card);
    if (p.error) setText(card.querySelector('.why'), p.error);
    else drawPair(card, p, live.points);
    if (list.children[i] !== card) list.insertBefore(card, list.children[i] || null);
  });
  for (const [key, card] of cards) {
    if (!now.has(card)) { card.remove(); cards.delete(key); }
  }
  byId('omitted').hidden = !live.omitted;
  setText(byId('omitted'), count(live.omitted) + ' more segments are not shown; this user\'s come first.');
  setText(byId('names'), live.names && live.names.length ? ' called ' + live.names.join(' or ') : '');
  byId('none').hidden = live.pairs.length > 0 || Boolean(live.error);
  const n = live.pairs.length;
  document.title = n === 1 && live.pairs[0].report ? live.pairs[0].report.verdict + ' · ' + live.pairs[0].name + ' · sluice' : n + ' segments · sluice';
}

let lastAnswer = null;

function showProblem(problem) {
  const gone = byId('gone');
  gone.hidden = !problem;
  setText(gone, problem);
  document.body.classList.toggle('stale', Boolean(problem));
  setText(byId('status'), problem ? '○ not live' : '● live');
}

async function poll() {
  try {
    const answer = await fetch('live.json', { cache: 'no-store', signal: AbortSignal.timeout(fetchTimeout) });
    if (!answer.ok) throw new Error('status ' + answer.status);
    const live = await answer.json();
    lastAnswer = new Date();
    draw(live);
    showProblem(live.error || '');
  } catch (e) {
    const since = lastAnswer ? ' since ' + lastAnswer.toLocaleTimeString('en-GB') + '. The figures below are from then' : '';
    showProblem('No answer from gauge serve' + since + '. Trying again each second.');
  }
  setTimeout(poll, pollInterval);
}

poll();
