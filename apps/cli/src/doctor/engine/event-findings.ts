import { publisherBinds } from '@sluice/engine-wire';
import type { KvEventSource, WorkerSpec } from '@sluice/model';
import { finding } from '../finding.ts';
import type { Finding } from '../finding.ts';
import type { DeclaredEvents, EngineFacts } from './ask-engine.ts';
import type { EventTraces } from './listen-events.ts';
import type { ProbeAnswer } from './probe-request.ts';

/** Clocks that disagree by more make ages and lags of the metrics meaningless. */
const MOST_SKEW_MS = 500;

const VLLM_FLAG = `--kv-events-config '{"enable_kv_cache_events":true,"publisher":"zmq","endpoint":"tcp://*:5557","replay_endpoint":"tcp://*:5558"}'`;

/**
 * Where what an engine declares and what the fleet says do not fit together; nothing is connected yet.
 * @param derived the fleet was made from what engines declare
 */
export function declaredFindings(worker: WorkerSpec, subject: string, facts: EngineFacts, derived: boolean): Finding[] {
  const { kvEvents } = worker;
  const declared = declaredOf(worker, facts);
  if (kvEvents === null) {
    if (facts.events === 'off' || derived) {
      const what = 'publishes no KV events: its cache is only guessed from what is sent to it';
      return [finding('events-none', subject, what, `start vLLM with ${VLLM_FLAG}`)];
    }
    const entry =
      declared === null ? '{ endpoint: tcp://HOST:5557, replay: tcp://HOST:5558 }' : entryFor(worker, declared);
    const what =
      declared === null ? 'has no kvEvents in the fleet file' : 'publishes KV events that the fleet file does not name';
    return [
      finding(
        'events-not-read',
        subject,
        `${what}: its cache is only guessed`,
        `kvEvents: ${entry} for this engine in the fleet file`,
      ),
    ];
  }
  if (facts.events === 'off') {
    const what = `publishes no KV events, the fleet expects them at ${kvEvents.endpoint}`;
    return [finding('events-off', subject, what, `start vLLM with ${VLLM_FLAG}`)];
  }
  if (declared === null) return [];
  const engineBinds = publisherBinds(declared.endpoint);
  if (!engineBinds && kvEvents.mode === 'connect') {
    const port = /:(\d+)$/.exec(declared.endpoint)?.[1] ?? '5557';
    const what = `connects to ${declared.endpoint} with its KV events instead of binding, and the fleet connects to it as well: nobody listens`;
    const fix = `"endpoint":"tcp://*:${port}" in --kv-events-config (vLLM binds where the address has a *), or mode: bind for this engine in the fleet file`;
    return [finding('events-both-connect', subject, what, fix)];
  }
  if (!engineBinds && derived) {
    const port = /:(\d+)$/.exec(declared.endpoint)?.[1] ?? '5557';
    const what = `connects to ${declared.endpoint} with its KV events instead of binding: one subscriber alone can have them, and must be at that address`;
    return [
      finding(
        'events-engine-connects',
        subject,
        what,
        `"endpoint":"tcp://*:${port}" in --kv-events-config: vLLM binds where the address has a *`,
      ),
    ];
  }
  if (engineBinds && kvEvents.mode === 'bind') {
    const what = `binds ${declared.endpoint} for its KV events, and so does the fleet (mode: bind): nobody connects`;
    return [
      finding(
        'events-both-bind',
        subject,
        what,
        `kvEvents: ${entryFor(worker, declared)} for this engine in the fleet file`,
      ),
    ];
  }
  return [];
}

/** What listening to a rank brought to light. */
export function listenedFindings(
  worker: WorkerSpec,
  subject: string,
  facts: EngineFacts,
  traces: EventTraces,
  probe: ProbeAnswer | null,
): Finding[] {
  const source = worker.kvEvents!;
  const declared = declaredOf(worker, facts);
  const stream = streamFindings(worker, source, subject, declared, traces, probe);
  return [
    ...stream,
    ...batchFindings(worker, subject, traces, probe),
    ...replayFindings(source, subject, declared, traces),
  ];
}

function streamFindings(
  worker: WorkerSpec,
  source: KvEventSource,
  subject: string,
  declared: DeclaredEvents | null,
  traces: EventTraces,
  probe: ProbeAnswer | null,
): Finding[] {
  const { publisher } = traces;
  const elsewhere =
    declared === null
      ? ''
      : `; the engine says that it publishes at ${declared.endpoint}: kvEvents: ${entryFor(worker, declared)}`;
  const { endpoint } = source;
  if (publisher?.kind === 'unreachable') {
    const what = `nobody can be reached for KV events at ${endpoint}: ${publisher.reason}`;
    return [
      finding(
        'events-unreachable',
        subject,
        what,
        `start vLLM with ${VLLM_FLAG}, open the port, or correct the address${elsewhere}`,
      ),
    ];
  }
  const isReplay = publisher?.kind === 'zmq' && publisher.socketType === 'ROUTER';
  if (publisher?.kind === 'stranger' || isReplay) {
    const who = isReplay ? "the engine's replay socket" : 'no ZeroMQ socket';
    const what = `what listens at ${endpoint} is ${who}: no KV events come from there`;
    return [
      finding(
        'events-not-a-publisher',
        subject,
        what,
        `give the "endpoint" of --kv-events-config, not its replay_endpoint or the HTTP port${elsewhere}`,
      ),
    ];
  }
  if (traces.socketError !== null) {
    const what = `${endpoint} cannot be bound here to hear KV events: ${traces.socketError}`;
    return [
      finding(
        'events-address-taken',
        subject,
        what,
        'fine when a running Sluice has it: ask that with --admin. Else free the port',
      ),
    ];
  }
  if (!traces.linked) {
    const what = `no engine connects to ${endpoint} with its KV events`;
    return [
      finding(
        'events-unreachable',
        subject,
        what,
        `"endpoint":"${endpoint.replace('*', 'HOST_OF_SLUICE')}" in --kv-events-config, or let the engine bind: "tcp://*:5557", and mode: connect here`,
      ),
    ];
  }
  if (traces.batches.length > 0 || probe?.kind !== 'answered') return [];
  if (traces.underAnyTopic > 0) {
    const fix = `topic: ${declared === null ? "''" : `'${declared.topic}'`} in kvEvents of this engine ('' takes every topic)`;
    return [finding('events-wrong-topic', subject, `publishes KV events, none under the topic '${source.topic}'`, fix)];
  }
  const what = `computed a prompt of ${probe.promptTokens} tokens and published no KV event of it at ${endpoint}`;
  return [
    finding(
      'events-silent',
      subject,
      what,
      `is prefix caching on, and the address that of this engine (and rank)? Start vLLM with ${VLLM_FLAG}`,
    ),
  ];
}

function batchFindings(worker: WorkerSpec, subject: string, traces: EventTraces, probe: ProbeAnswer | null): Finding[] {
  const findings: Finding[] = [];
  if (traces.unknown > 0) {
    const fix = 'an engine version that Sluice does not know: look for a newer Sluice, and say which engine it is';
    findings.push(finding('events-unknown', subject, `publishes KV events of no known form (${traces.unknown})`, fix));
  }
  const rank = worker.dpRank ?? 0;
  const other = traces.batches.find(({ batch }) => batch.dpRank !== null && batch.dpRank !== rank);
  if (other !== undefined) {
    const what = `KV events of rank ${other.batch.dpRank} come from the address of rank ${rank}`;
    const fix =
      'vLLM adds the rank to the ports: give the addresses of rank 0, and keep the replay port at least as many ports away as there are ranks';
    findings.push(finding('events-other-rank', subject, what, fix));
  }
  const skewMs = skewOf(traces, probe);
  if (skewMs !== null && Math.abs(skewMs) > MOST_SKEW_MS) {
    const what = `its clock is ${(Math.abs(skewMs) / 1000).toFixed(1)} s ${skewMs > 0 ? 'ahead of' : 'behind'} this machine's: ages and lags of its events are wrong by as much`;
    findings.push(
      finding('clock-skew', subject, what, 'keep both clocks with NTP: `timedatectl set-ntp true`, or chrony'),
    );
  }
  return findings;
}

/**
 * Least difference between the engine's clock and ours that explains when batches of a probe were made: between its
 * sending and the arrival of the batch. Null when there was none.
 */
export function skewOf({ batches }: EventTraces, probe: ProbeAnswer | null): number | null {
  if (probe?.kind !== 'answered') return null;
  let least: number | null = null;
  for (const { batch, heardAtMs } of batches) {
    if (heardAtMs < probe.sentAtMs) continue;
    const skew = batch.timeMs > heardAtMs ? batch.timeMs - heardAtMs : Math.min(0, batch.timeMs - probe.sentAtMs);
    if (least === null || Math.abs(skew) < Math.abs(least)) least = skew;
  }
  return least;
}

function replayFindings(
  source: KvEventSource,
  subject: string,
  declared: DeclaredEvents | null,
  { replay }: EventTraces,
): Finding[] {
  const why = 'what was cached before Sluice started stays unknown, and a lost event is not repaired';
  if (replay === null) {
    const theirs = declared?.replayEndpoint ?? null;
    const fix =
      theirs === null
        ? `"replay_endpoint":"tcp://*:5558" in --kv-events-config, and replay: tcp://HOST:5558 in kvEvents`
        : `the engine has one at ${theirs}: replay: ${theirs.replace(/\*|0\.0\.0\.0/, 'HOST')} in kvEvents`;
    return [finding('replay-missing', subject, `has no replay endpoint: ${why}`, fix)];
  }
  if (replay.complete) return [];
  const reason =
    replay.peer?.kind === 'unreachable'
      ? replay.peer.reason
      : replay.peer?.kind === 'stranger'
        ? 'no ZeroMQ socket listens there'
        : replay.peer?.socketType === 'PUB' || replay.peer?.socketType === 'XPUB'
          ? 'that is the address of the events'
          : 'it does not answer';
  const fix = `"replay_endpoint" in --kv-events-config and replay in kvEvents must be one address${declared?.replayEndpoint ? `; the engine says ${declared.replayEndpoint}` : ''}`;
  return [finding('replay-unreachable', subject, `no replay from ${source.replayEndpoint!}: ${reason}; ${why}`, fix)];
}

const declaredOf = (worker: WorkerSpec, { events }: EngineFacts): DeclaredEvents | null =>
  events instanceof Map ? ((events as ReadonlyMap<number, DeclaredEvents>).get(worker.dpRank ?? 0) ?? null) : null;

/** `kvEvents` of the fleet file for what an engine declares of rank 0. */
function entryFor(worker: WorkerSpec, { endpoint, replayEndpoint, topic }: DeclaredEvents): string {
  const host = new URL(worker.url).hostname;
  const reach = (address: string): string => address.replace(/\/\/(\*|\[::\]|0\.0\.0\.0)/, `//${host}`);
  const parts = [
    ...(publisherBinds(endpoint) ? [] : ['mode: bind']),
    `endpoint: '${reach(endpoint)}'`,
    ...(replayEndpoint === null ? [] : [`replay: '${reach(replayEndpoint)}'`]),
    ...(topic === '' ? [] : [`topic: '${topic}'`]),
  ];
  return `{ ${parts.join(', ')} }`;
}
