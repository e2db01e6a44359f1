import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { operationOf } from '../operation.ts';
import type { AdminGate, AdminRequest } from './admin-gate.ts';

/** Asks the gate before each request that goes to a controller. */
export class AdminGuard implements CanActivate {
  readonly #gate: AdminGate;

  constructor(gate: AdminGate) {
    this.#gate = gate;
  }

  canActivate(context: ExecutionContext): true {
    if (context.getType() === 'http') {
      const access = operationOf(context.getHandler())?.access ?? null;
      this.#gate.check(context.switchToHttp().getRequest<AdminRequest>(), access);
    }
    return true;
  }
}
