import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { LedgerMessage } from '@sluice/model';
import { workerId } from '@sluice/model';
import { decodeLedgerMessage, encodeLedgerMessage } from './ledger.ts';

const u32 = fc.nat(0xffffffff);
const id = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/);
const counts = fc.record({
  requests: u32,
  queuedPrefillTokens: u32,
  decodes: u32,
  decodeContextTokens: u32,
  heldKvTokens: u32,
  growthTokens: u32,
});
const message: fc.Arbitrary<LedgerMessage> = fc.record({
  kind: fc.constantFrom('changes' as const, 'state' as const, 'leave' as const),
  router: id,
  epoch: fc.double({ noNaN: true }),
  seq: fc.maxSafeNat(),
  sentAtMs: fc.double({ noNaN: true }),
  rows: fc.array(fc.record({ worker: id.map(workerId), inFlight: counts }), { maxLength: 20 }),
});

const golden: LedgerMessage = {
  kind: 'state',
  router: 'r1',
  epoch: 1,
  seq: 5,
  sentAtMs: 2,
  rows: [
    {
      worker: workerId('w-0'),
      inFlight: {
        requests: 1,
        queuedPrefillTokens: 2,
        decodes: 3,
        decodeContextTokens: 0x04030201,
        heldKvTokens: 0xffffffff,
        growthTokens: 6,
      },
    },
  ],
};
const GOLDEN_HEX = [
  '01020200 01000000 000000000000f03f 0000000000001440 0000000000000040 7231',
  '03 772d30 01000000 02000000 03000000 01020304 ffffffff 06000000',
]
  .join('')
  .replaceAll(' ', '');

describe('ledger message', () => {
  it('has these bytes', () => {
    expect(Buffer.from(encodeLedgerMessage(golden)).toString('hex')).toBe(GOLDEN_HEX);
    expect(decodeLedgerMessage(Buffer.from(GOLDEN_HEX, 'hex'))).toEqual(golden);
  });

  it('comes back as it was, at any offset of a larger buffer', () => {
    fc.assert(
      fc.property(message, fc.nat(9), (sent, offset) => {
        const bytes = encodeLedgerMessage(sent);
        const moved = new Uint8Array(bytes.length + offset).subarray(offset);
        moved.set(bytes);
        expect(decodeLedgerMessage(moved)).toEqual(sent);
      }),
      { seed: 3 },
    );
  });

  it('saturates counts that do not fit', () => {
    const rows = [{ worker: workerId('w'), inFlight: { ...golden.rows[0]!.inFlight, heldKvTokens: 2 ** 40 } }];
    const read = decodeLedgerMessage(encodeLedgerMessage({ ...golden, rows }));
    expect(read.rows[0]!.inFlight.heldKvTokens).toBe(0xffffffff);
  });

  it('refuses what is cut short anywhere, too long, of another version or kind, or names no id', () => {
    const good = Uint8Array.from(Buffer.from(GOLDEN_HEX, 'hex'));
    for (let length = 0; length < good.length; length++) {
      expect(() => decodeLedgerMessage(good.subarray(0, length))).toThrow(RangeError);
    }
    const changed = (at: number, value: number): Uint8Array => good.slice().fill(value, at, at + 1);
    expect(() => decodeLedgerMessage(new Uint8Array([...good, 0]))).toThrow(/1 bytes too many/);
    expect(() => decodeLedgerMessage(changed(0, 2))).toThrow(/version 2/);
    expect(() => decodeLedgerMessage(changed(1, 4))).toThrow(/unknown kind 4/);
    expect(() => decodeLedgerMessage(changed(35, 0))).toThrow(/is no id/);
    expect(() => decodeLedgerMessage(changed(4, 200))).toThrow(/no id|cut short/);
  });
});
