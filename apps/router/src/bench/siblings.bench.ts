// What sharing costs the router: npm run bench:routing -- --suite siblings [--smoke]
import { decodeLedgerMessage, encodeLedgerMessage } from '@sluice/contracts';
import { STEP_PROFILES, workerId } from '@sluice/model';
import type { LedgerMessage } from '@sluice/model';
import { createFleetTable, createLedger, LedgerOutbox, SiblingLedgers } from '@sluice/routing';

const smoke = process.argv.includes('--smoke');
const ROUNDS = smoke ? 5 : 21;
const ROUND_MS = smoke ? 10 : 50;
const REQUEST = { promptTokens: 4000, uncachedTokens: 1000, expectedOutputTokens: 200 };
const OUTPUT_EVENTS = 20;

/** Microseconds of CPU per call: median of rounds, each long enough for the clock. */
function measure(call: () => void): number {
  const rounds: number[] = [];
  for (let round = -2; round < ROUNDS; round++) {
    const start = process.cpuUsage();
    const until = performance.now() + ROUND_MS;
    let calls = 0;
    while (performance.now() < until) {
      for (let i = 0; i < 16; i++) call();
      calls += 16;
    }
    const { user, system } = process.cpuUsage(start);
    if (round >= 0) rounds.push((user + system) / calls); // the first two warm up
  }
  return rounds.sort((a, b) => a - b)[rounds.length >> 1]!;
}

function tableOf(workers: number) {
  const table = createFleetTable(workers);
  for (let i = 0; i < workers; i++) table.addWorker(workerId(`worker-${i}`), STEP_PROFILES['qwen3-32b-tp2-h100']);
  return table;
}

/** The ledger's events of one request, its output in chunks. */
function requestCost(isShared: boolean): number {
  const table = tableOf(100);
  const ledger = createLedger(table);
  if (isShared) new LedgerOutbox(table, 'a', 0);
  let row = 0;
  return measure(() => {
    const booking = ledger.book((row = (row + 1) % 100), REQUEST);
    booking.firstToken();
    for (let i = 0; i < OUTPUT_EVENTS; i++) booking.tokens(10);
    booking.release();
  });
}

const claims: { id: string; value: number; unit: string }[] = [];
const claim = (id: string, value: number): number =>
  claims.push({ id: `siblings-${id}`, value: Number(value.toFixed(3)), unit: 'us' });

const [alone, shared] = [requestCost(false), requestCost(true)];
claim('ledger-per-request-unshared', alone);
claim('ledger-per-request-shared', shared);
for (const rows of [1, 10, 100]) {
  const table = tableOf(100);
  const ledger = createLedger(table);
  const outbox = new LedgerOutbox(table, 'a', 0);
  const bookings = Array.from({ length: rows }, (_, row) => ledger.book(row, REQUEST));
  outbox.state(0);
  const said: { message: LedgerMessage | null } = { message: null };
  const sending = measure(() => {
    for (const booking of bookings) booking.tokens(1);
    said.message = outbox.changes('all', 0);
    encodeLedgerMessage(said.message!);
  });
  const siblings = new SiblingLedgers(tableOf(100));
  const bytes = encodeLedgerMessage(said.message!);
  let seq = 0;
  const receiving = measure(() => {
    siblings.apply({ ...decodeLedgerMessage(bytes), seq: seq++ }, 0);
  });
  claim(`send-${rows}-rows`, sending);
  claim(`receive-${rows}-rows`, receiving);
}
console.log(JSON.stringify({ suite: 'siblings', node: process.version, claims }, null, 2));
