/**
 * Everything that doctor can find, each with a page entry in docs/doctor.md. An `error` makes Sluice fail or decide wrongly
 * there; with a `warning` it works with less than it could have.
 */
export const SEVERITY_OF = {
  'fleet-invalid': 'error',
  'tokenizer-missing': 'warning',
  'tokenizer-unreadable': 'error',
  'tokenizer-wrong': 'error',
  'chat-template-wrong': 'error',
  'engine-unreachable': 'error',
  'engine-unauthorized': 'error',
  'engine-not-openai': 'error',
  'engine-is-router': 'error',
  'engine-request-fails': 'error',
  'model-not-served': 'error',
  'adapter-not-served': 'error',
  'adapter-as-model': 'error',
  'metrics-missing': 'warning',
  'prefix-caching-off': 'error',
  'usage-details-off': 'warning',
  'block-size-large': 'warning',
  'events-off': 'error',
  'events-none': 'warning',
  'events-not-read': 'warning',
  'events-engine-connects': 'warning',
  'events-both-connect': 'error',
  'events-both-bind': 'error',
  'events-unreachable': 'error',
  'events-not-a-publisher': 'error',
  'events-address-taken': 'warning',
  'events-wrong-topic': 'error',
  'events-silent': 'error',
  'events-unknown': 'error',
  'events-other-rank': 'error',
  'replay-missing': 'warning',
  'replay-unreachable': 'error',
  'clock-skew': 'warning',
  'ranks-unlisted': 'error',
  'ranks-absent': 'error',
  'pool-mixed-models': 'error',
  'pool-mixed-blocks': 'warning',
  'variant-mixed': 'warning',
  'nats-unreachable': 'error',
  'nats-unauthorized': 'error',
  'nats-too-old': 'error',
  'nats-without-jetstream': 'error',
  'nats-payload-small': 'error',
  'redis-unreachable': 'error',
  'redis-unauthorized': 'error',
  'redis-too-old': 'error',
  'redis-evicts': 'error',
  'admin-unreachable': 'error',
  'service-not-ready': 'error',
  'service-degraded': 'warning',
  'worker-down': 'error',
  'signals-stale': 'warning',
  'prompts-approximate': 'warning',
  'feed-unread': 'warning',
  'feed-waiting': 'error',
  'feed-disconnected': 'error',
  'feed-incomplete': 'warning',
  'feed-late': 'warning',
} as const satisfies Readonly<Record<string, 'error' | 'warning'>>;

export type FindingCode = keyof typeof SEVERITY_OF;

/** One mistake: where, what is wrong in words, and what to do about it. */
export interface Finding {
  readonly code: FindingCode;
  readonly severity: 'error' | 'warning';
  /** `engine h100-a`, `pool qwen`, `nats`: what it is about. */
  readonly subject: string;
  readonly what: string;
  readonly fix: string;
}

export const finding = (code: FindingCode, subject: string, what: string, fix: string): Finding => ({
  code,
  severity: SEVERITY_OF[code],
  subject,
  what,
  fix,
});

/** What was examined and what there is to say of it, whether or not something is wrong with it. */
export interface Examined {
  readonly subject: string;
  readonly summary: string;
}

/** Findings of one part of the examination. */
export interface Report {
  readonly examined: readonly Examined[];
  readonly findings: readonly Finding[];
}
