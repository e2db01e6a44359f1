import { describe, expect, it } from '@jest/globals';
import { stylesOf } from '../speaker.ts';
import { candidate, decision } from '../testing/decisions.ts';
import { recorder } from '../testing/admin-server.ts';
import { explainPage } from './page.ts';
import type { DecisionRecord } from '@sluice/contracts';

const page = (
  of: DecisionRecord,
  options: { width?: number; all?: boolean; chain?: DecisionRecord[]; colour?: boolean } = {},
) => {
  const { width = 80, all = false, chain = [of], colour = false } = options;
  return explainPage(of, chain, {
    width,
    all,
    styles: stylesOf({ ...recorder(), colour }),
    nowMs: of.atMs + 4200,
    router: null,
    sameAdmin: ' --admin C',
  });
};
const linesOf = (text: string, start: RegExp): string[] => text.split('\n').filter((line) => start.test(line));
/** The line of a worker in the table of costs. */
const costLine = (text: string, worker: string): string => linesOf(text, new RegExp(`^[> ] ${worker} `))[0]!;

describe('explainPage', () => {
  it('tells the request, the candidates with their terms and marks, what was known and what happened', () => {
    expect(page(decision())).toMatchInlineSnapshot(`
      "decision ab12cd34-7
      made     2026-01-02T03:04:05.678Z, 4.2 s ago
      request  chat to qwen3-32b in pool main
      asked    tenant acme, priority 3, TTFT 500 ms
      prompt   2,015 tokens: 1,984 cached on w1, 31 to compute; about 200 out expected
      policy   expected-latency

      Why w1, of 3 workers (ms; the least cost wins)
        worker  cost
        w2      50.0  ███████████████████████▓▓▓▓▓▓▓▓                    cheapest, tie
      > w1      51.0  ███████████████████████▓▓▓▓▓▓▓▓                    chosen, tie
        w3      80.0  █████████████████████████████████████▓▓▓▓▓▓▓▓▓▓▓▓

      Terms in ms
      worker  █ ttft  ▓ duplicate
      w2        37.5         12.5
      w1        38.3         12.8
      w3        60.0         20.0
      0 everywhere: stall

      What was known (TTFT and TPOT predicted in ms; cached and queued are tokens)
      worker  cached  TTFT  TPOT  in flight  queued  decodes  waiting    KV     age
      w2       1,984  37.5  9.10          5   3,100        2        1  42 %  240 ms
      w1       1,984  38.3  9.10          5   3,100        2        1  42 %  240 ms
      w3       1,984  60.0  9.10          5   3,100        2        1  42 %  240 ms

      What happened: completed 200
                     predicted  actual      difference
      TTFT ms             38.3    40.2    +1.95 (+5 %)
      TPOT ms             9.10    9.40    +0.30 (+3 %)
      E2E ms             1,858     640  -1,218 (-66 %)
      prompt tokens      2,015   2,015               0
      cached tokens      1,984   1,984               0
      output tokens        200      64    -136 (-68 %)
      TTFT regret +2.70 ms against the least that was predicted: 37.5 ms on w2.

      Where the time to its first token went, from its arrival
      held in the router      0.20
      work ahead of it on w1  37.7  ██████████████████████████████
      its own prompt          0.38
      not foreseen            1.95  ██
      Most of it, work ahead of it on w1: 3,100 prompt tokens of others were to be
        computed there first; the terms above say why it went there all the same.
      "
    `);
  });

  it('names the trace of a request that was sampled', () => {
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    expect(linesOf(page(decision({ traceId })), /^trace /)).toEqual([
      `trace    ${traceId}: sluice trace ab12cd34-7 --admin C`,
    ]);
    expect(linesOf(page(decision()), /^trace /)).toEqual([]);
  });

  it.each([80, 100, 120])('fits %d columns, whatever names and numbers there are', (width) => {
    const many = Array.from({ length: 40 }, (_, i) =>
      candidate(`worker-with-a-long-name-${i}`, 1000 * i ** 3 + 1, { inflightRequests: 1234, siblingRequests: 999 }),
    );
    const wide = decision({
      candidates: many,
      worker: many[0]!.worker,
      shadows: [
        {
          policy: 'sticky-until-saturated',
          worker: many[3]!.worker,
          agrees: false,
          ttftMs: 27001,
          e2eMs: 99999,
          ttftRegretMs: 27000,
          e2eRegretMs: 88888,
        },
      ],
    });
    for (const all of [false, true]) {
      const text = page(wide, { width, all });
      expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(width);
    }
  });

  it('marks the chosen one, the cheapest, ties, and why others were not chosen', () => {
    const text = page(
      decision({
        candidates: [
          candidate('w1', 51),
          candidate('w2', 50),
          candidate('w3', 80),
          candidate('w4', null, { up: false }),
          candidate('w5', null),
          candidate('w6', null),
          candidate('w7', null, { keptForOthers: true }),
        ],
      }),
      {
        chain: [
          decision({ id: 'ab12cd34-6', worker: 'w5', followedBy: 'ab12cd34-7' }),
          decision({ retryOf: 'ab12cd34-6' }),
        ],
      },
    );
    expect(costLine(text, 'w1')).toMatch(/^> w1.* chosen, tie$/);
    expect(costLine(text, 'w2')).toMatch(/^ {2}w2.* cheapest, tie$/);
    expect(costLine(text, 'w3')).toMatch(/[█▓]$/);
    expect(costLine(text, 'w4')).toMatch(/ not up$/);
    expect(costLine(text, 'w5')).toMatch(/ tried$/);
    expect(costLine(text, 'w6')).toMatch(/ left out$/);
    expect(costLine(text, 'w7')).toMatch(/ kept for others$/);
    expect(linesOf(text, /^kept /)).toEqual(['kept     1 of 7 workers for others: acme floods']);
  });

  it('draws each term in proportion, and cuts what would flatten the rest', () => {
    const hopeless = candidate('w3', 5000);
    const text = page(decision({ candidates: [candidate('w1', 100), candidate('w2', 50), hopeless] }));
    const cells = (worker: string, glyph: string): number => costLine(text, worker).split(glyph).length - 1;
    expect(cells('w1', '█') / cells('w1', '▓')).toBeCloseTo(3, 0);
    expect((cells('w1', '█') + cells('w1', '▓')) / (cells('w2', '█') + cells('w2', '▓'))).toBeCloseTo(2, 0);
    expect(costLine(text, 'w3')).toContain('»');
    expect(text).toContain('0 everywhere: stall');
    expect(page(decision({ candidates: [candidate('w1', 51), candidate('w2', 1e9)] }))).toMatch(/w2 +never/);
  });

  it('shows the ten cheapest, the chosen one among them, or all', () => {
    const candidates = Array.from({ length: 25 }, (_, i) => candidate(`n${i}`, 100 + i));
    const of = decision({ candidates, worker: 'n20', tieCost: 103 });
    const text = page(of);
    expect(linesOf(text, /^[> ] n\d+ /)).toHaveLength(10);
    expect(costLine(text, 'n20')).toMatch(/chosen$/);
    expect(text).toContain('15 more candidates with --all');
    expect(linesOf(page(of, { all: true }), /^[> ] n\d+ /)).toHaveLength(25);
  });

  it('speaks of scores where the policy does, and shows that it had to degrade', () => {
    const scores = (worker: string, prefix: number, queue: number) =>
      candidate(worker, -(prefix + queue), { terms: { prefix, queue } });
    const scored = page(
      decision({
        policy: 'weighted-3-2-2',
        basis: 'weighted-3-2-2',
        unit: 'score',
        tieCost: -5,
        candidates: [scores('w1', 3, 2), scores('w2', 0.5, 2)],
      }),
    );
    expect(scored).toContain('Why w1, of 2 workers (score; cost is minus the score, the least wins)');
    expect(costLine(scored, 'w1')).toMatch(/-5.00 {2}█+▓+ {2}chosen, cheapest$/);
    expect(scored).toContain('Terms in score');
    const none = { terms: {} };
    const turns = page(
      decision({ unit: 'requests', candidates: [candidate('w1', 1, none), candidate('w2', 2, none)] }),
    );
    expect(turns).not.toContain('Terms');
    expect(costLine(turns, 'w1')).toMatch(/^> w1 +1.00 {2}chosen, cheapest, tie$/);
    expect(page(decision({ basis: 'token-load', unit: 'tokens' }))).toMatch(
      /had no usable prediction and decided as\n +token-load/,
    );
    expect(page(decision({ exactPrompt: false }))).toMatch(/not\s+rendered\s+exactly/);
  });

  it("tells siblings' load from its own, and a worker that was never read", () => {
    const of = decision({
      candidates: [candidate('w1', 51, { siblingRequests: 2, siblingQueuedPrefillTokens: 100, signalAgeMs: null })],
    });
    expect(linesOf(page(of), /^w1 .*never$/)[0]).toMatch(/ 3\+2 +3,000\+100 /);
  });

  it('shows the chain of retries and moves, and what is not over yet', () => {
    const failed = decision({
      id: 'ab12cd34-5',
      worker: 'w9',
      followedBy: 'ab12cd34-6',
      outcome: { ...decision().outcome!, result: 'upstream-error', status: 503, cause: 'server error' },
    });
    const held = decision({
      id: 'ab12cd34-6',
      worker: 'w2',
      retryOf: failed.id,
      followedBy: 'ab12cd34-7',
      outcome: null,
    });
    const now = decision({ retryOf: failed.id, movedFrom: held.id, outcome: null });
    const text = page(now, { chain: [failed, held, now] });
    expect(text).toContain(
      [
        'All decisions of this request',
        'first    ab12cd34-5 on w9: upstream-error 503: server error',
        'retried  ab12cd34-6 on w2: held, then moved on',
        'moved    ab12cd34-7 on w1: nothing yet: it waits or is being served (shown here)',
      ].join('\n'),
    );
    expect(text).toContain('What happened: nothing yet');
  });

  it('has no numbers of what was never sent, and names the bound that was reached', () => {
    const shed = {
      ...decision().outcome!,
      ...{
        result: 'overload',
        status: null,
        cause: 'queue-full: 512 of 512 requests wait',
        promptTokens: null,
        cachedTokens: null,
      },
      ...{ outputTokens: 0, ttftMs: null, tpotMs: null, e2eMs: 0, heldMs: 0, queuedMs: 0.4 },
      ...{ ttftErrorMs: null, ttftRegretMs: null },
    };
    const happened = (of: DecisionRecord): string => page(of).split('What happened: ')[1]!;
    expect(happened(decision({ outcome: shed }))).toBe(
      [
        'overload: queue-full: 512 of 512 requests wait',
        'It was never sent to w1: it ended 0.40 ms after its arrival.',
        'The queue of pool main was at its bound: ROUTER_QUEUE_REQUESTS, as many requests',
        '  as may wait.\n',
      ].join('\n'),
    );
    const late = { ...shed, cause: 'deadline', queuedMs: 812 };
    expect(happened(decision({ outcome: late }))).toBe(
      'overload: deadline\nIt was never sent to w1: it ended 812 ms after its arrival.\n',
    );
    const refused = { ...shed, result: 'upstream-error', status: null, cause: 'ECONNREFUSED', e2eMs: 0.3 };
    expect(happened(decision({ outcome: refused }))).toContain('TTFT ms');
  });

  it('says of an answer that was not streamed that its first token cannot be seen, and what is an estimate', () => {
    const whole = { ...decision().outcome!, ttftMs: null, tpotMs: null, ttftErrorMs: null, ttftRegretMs: null };
    expect(page(decision({ outcome: whole }))).toMatch(/^TTFT ms +38\.3 +not streamed$/m);
    expect(page(decision({ outcome: { ...whole, result: 'client-abort' } }))).toMatch(/^TTFT ms +38\.3 +-$/m);
    expect(page(decision())).not.toContain('estimated');
    const more = { outcome: { ...whole, promptTokens: 1508 } };
    expect(page(decision(more))).toContain(
      'Predicted prompt tokens that no cache is known to hold are estimated from bytes.',
    );
    expect(page(decision({ ...more, exactPrompt: false }))).toMatch(
      /prompt that is not rendered exactly are estimated\s+from\s+bytes\./,
    );
  });

  it('shows what shadow policies would have done', () => {
    const shadow = { ttftMs: 45, e2eMs: 1800, ttftRegretMs: 6.75, e2eRegretMs: -20 };
    const text = page(
      decision({
        shadows: [
          { policy: 'weighted-3-2-2', worker: 'w3', agrees: false, ...shadow },
          { policy: 'p2c', worker: 'w1', agrees: true, ...shadow, ttftRegretMs: 0, e2eRegretMs: null },
        ],
      }),
    );
    expect(text).toMatch(/weighted-3-2-2 +w3 +45.0 +\+6.75 +1,800 +-20.0\n/);
    expect(text).toMatch(/p2c +the same +45.0 +\+0 +1,800 +-\n/);
  });

  it('has colours only where they are wanted', () => {
    expect(page(decision())).not.toContain('\x1b');
    expect(page(decision(), { colour: true })).toContain('\x1b[1m> w1');
  });
});
