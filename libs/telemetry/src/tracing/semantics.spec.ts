import { describe, expect, it } from '@jest/globals';
import * as conventions from '@opentelemetry/semantic-conventions/incubating';
import { Attribute, GenAi } from './semantics.ts';

const named = new Set(Object.values(conventions).filter((value) => typeof value === 'string'));

describe('semantic conventions', () => {
  it.each(Object.values({ ...Attribute, ...GenAi }))('have %s', (name) => {
    expect(named).toContain(name);
  });
});
