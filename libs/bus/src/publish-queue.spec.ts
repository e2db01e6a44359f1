import { describe, expect, it } from '@jest/globals';
import { eventually } from './testing/eventually.ts';
import { PublishQueue } from './publish-queue.ts';

function recorded() {
  const sent: string[] = [];
  const queue = new PublishQueue((subject, payload) => sent.push(`${subject} ${String(payload)}`));
  return { sent, queue };
}

describe('PublishQueue', () => {
  it('sends what it gathered by itself, in order', async () => {
    const { sent, queue } = recorded();
    queue.add('a', Buffer.from([1]));
    queue.add('b', Buffer.from([2]));
    queue.add('a', Buffer.from([3]));
    expect(sent).toEqual([]);
    await eventually(() => sent.length === 3);
    expect(sent.map((entry) => entry[0])).toEqual(['a', 'b', 'a']);
    queue.add('c', Buffer.from([4]));
    await eventually(() => sent.length === 4);
  });

  it('sends at once when told, and when much has gathered', () => {
    const { sent, queue } = recorded();
    queue.add('a', Buffer.from([1]));
    queue.flush();
    expect(sent).toHaveLength(1);
    queue.add('b', Buffer.alloc(40 * 1024));
    expect(sent).toHaveLength(1);
    queue.add('c', Buffer.alloc(40 * 1024));
    expect(sent).toHaveLength(3);
    queue.flush();
    expect(sent).toHaveLength(3);
  });
});
