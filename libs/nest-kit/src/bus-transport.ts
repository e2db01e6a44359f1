import { MessagePattern, Server } from '@nestjs/microservices';
import type { CustomTransportStrategy, MessageHandler } from '@nestjs/microservices';
import type { Bus, Unsubscribe } from '@sluice/bus';
import type { RequestSubject } from '@sluice/contracts';
import { lastValueFrom } from 'rxjs';

/**
 * Marks a controller method as the responder of `subject`. The method gets the parsed request as its only argument and
 * returns the reply (or a promise of it).
 */
export const RespondsTo = (subject: RequestSubject): MethodDecorator => MessagePattern(subject.name, { subject });

/** Nest transport strategy over our bus port: the same responders serve over NATS and within one process. */
export class BusTransport extends Server implements CustomTransportStrategy {
  override readonly transportId = Symbol('sluice-bus');
  readonly #bus: Bus;
  readonly #unsubscribes: Unsubscribe[] = [];

  constructor(bus: Bus) {
    super();
    this.#bus = bus;
  }

  /** @throws Error for a handler without a subject: use {@link RespondsTo} (a bug, found at boot). */
  listen(callback: () => void): void {
    for (const [pattern, handler] of this.messageHandlers) {
      const subject = handler.extras?.['subject'] as RequestSubject | undefined;
      if (!subject) throw new Error(`the handler of '${pattern}' has no subject: declare it with @RespondsTo`);
      this.#unsubscribes.push(this.#bus.respond(subject, (payload) => this.#answer(handler, payload)));
    }
    callback();
  }

  close(): void {
    for (const unsubscribe of this.#unsubscribes.splice(0)) unsubscribe();
  }

  /** The bus has no events of its own to offer to Nest. */
  on(): void {
    throw new Error('the bus transport has no events');
  }

  unwrap<T>(): T {
    return this.#bus as T;
  }

  async #answer(handler: MessageHandler, payload: unknown): Promise<never> {
    return lastValueFrom(this.transformToObservable(await handler(payload))) as Promise<never>;
  }
}
