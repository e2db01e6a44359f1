import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { DropRepair } from './drop-repair.ts';

/** A repair of which every batch is given up while `refused`, as soon as it is sent. */
function start() {
  const sentAtS: number[] = [];
  const world = { connected: true, refused: false };
  const repair: DropRepair = new DropRepair({
    resend: (worker) => {
      sentAtS.push(Math.round(performance.now() / 100) / 10);
      if (world.refused) setTimeout(() => [1, 2, 3].forEach(() => repair.onDrop(worker)), 250);
    },
    isConnected: () => world.connected,
    now: () => performance.now(),
  });
  return { repair, world, sentAtS };
}

describe('DropRepair', () => {
  beforeEach(() => {
    jest.useFakeTimers({ now: 0 });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('sends a worker anew at once, and once for the batches of one loss', () => {
    const { repair, sentAtS } = start();
    for (let i = 0; i < 5; i++) repair.onDrop('w');
    jest.advanceTimersByTime(900);
    expect(sentAtS).toEqual([0]);
    // what was lost after it was sent is owed once more
    jest.advanceTimersByTime(200);
    expect(sentAtS).toEqual([0, 1]);
    jest.advanceTimersByTime(60_000);
    expect(sentAtS).toHaveLength(2);
    repair.onDrop('w');
    expect(sentAtS).toEqual([0, 1, 61.1]);
  });

  it('tries ever less often what is given up every time', () => {
    const { repair, world, sentAtS } = start();
    world.refused = true;
    repair.onDrop('w');
    jest.advanceTimersByTime(300_000);
    expect(sentAtS).toEqual([0, 1, 3, 7, 15, 31, 63, 127, 191, 255]);
    world.refused = false;
    jest.advanceTimersByTime(64_000);
    expect(sentAtS.slice(10)).toEqual([319]);
    // it got through: the next loss, a good while later, is repaired at once
    jest.advanceTimersByTime(130_000);
    repair.onDrop('w');
    expect(sentAtS.slice(11)).toEqual([494]);
  });

  it('waits for the bus, and then starts at once with every worker that is owed something', () => {
    const { repair, world, sentAtS } = start();
    world.connected = false;
    for (const worker of ['v', 'w', 'v', 'x']) repair.onDrop(worker);
    repair.forget('x');
    jest.advanceTimersByTime(60_000);
    expect(sentAtS).toEqual([]);
    world.connected = true;
    repair.onConnected();
    expect(sentAtS).toEqual([60, 60]);
  });

  it('does not hold against a new server what the last one refused', () => {
    const { repair, world, sentAtS } = start();
    world.refused = true;
    repair.onDrop('w');
    jest.advanceTimersByTime(20_000);
    expect(sentAtS).toEqual([0, 1, 3, 7, 15]);
    world.refused = false;
    world.connected = false;
    jest.advanceTimersByTime(100);
    world.connected = true;
    repair.onConnected();
    expect(sentAtS.slice(5)).toEqual([20.1]);
    jest.advanceTimersByTime(300_000);
    expect(sentAtS).toHaveLength(6);
  });

  it('sends nothing once it was stopped', () => {
    const { repair, world, sentAtS } = start();
    world.refused = true;
    repair.onDrop('w');
    jest.advanceTimersByTime(500);
    repair.stop();
    jest.advanceTimersByTime(60_000);
    expect(sentAtS).toEqual([0]);
  });
});
