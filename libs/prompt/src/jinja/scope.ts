import { Pieces } from './pieces.ts';
import type { Value } from './values.ts';

/** Variables of a block, and those of the blocks around it. */
export class Scope {
  private readonly parent: Scope | null;
  private variables: Map<string, Value> | null = null;

  constructor(parent: Scope | null) {
    this.parent = parent;
  }

  get(name: string): Value {
    const value = this.variables?.get(name);
    if (value !== undefined || this.variables?.has(name)) return value;
    return this.parent?.get(name);
  }

  /** Sets the variable in this block, whatever the blocks around it have. */
  set(name: string, value: Value): void {
    (this.variables ??= new Map<string, Value>()).set(name, value);
  }
}

/** One rendering: what is shared by all of its blocks. */
export class Rendering {
  /** What was written so far; blocks that capture their output put it aside meanwhile. */
  out = new Pieces();
}
