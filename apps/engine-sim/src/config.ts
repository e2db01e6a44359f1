import { Command } from 'commander';
import { publisherBinds } from '@sluice/engine-wire';
import { PROFILE_IDS, PROFILES } from '@sluice/engine-model';
import type { EngineProfile, ProfileId } from '@sluice/engine-model';

/** KV event publishing, in vLLM's terms; rank r adds r to the ports. */
export interface KvEventsConfig {
  readonly endpoint: string;
  /** Whether the PUB socket binds there, or connects to a subscriber that does. */
  readonly bind: boolean;
  readonly replayEndpoint: string | null;
  readonly topic: string;
  readonly bufferSteps: number;
  readonly highWaterMark: number;
  readonly maxQueueSize: number;
  readonly form: 'map' | 'array';
  /** The engine's clock less that of the machine, as batches tell their time. */
  readonly clockOffsetMs: number;
}

export interface EngineSimConfig {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Served model name. */
  readonly model: string;
  readonly loras: readonly string[];
  readonly profile: EngineProfile;
  /** Simulated time runs this many times faster than the clock on the wall. */
  readonly speed: number;
  /** Tokenizer folder; null: the simulator's own. */
  readonly tokenizerDir: string | null;
  readonly blockSize: number;
  /** KV blocks of each rank. */
  readonly kvBlocks: number;
  readonly maxSeqs: number;
  readonly maxBatchTokens: number;
  readonly maxModelLen: number;
  readonly kvEvents: KvEventsConfig | null;
  readonly apiKey: string | null;
  /** Where spans go, by the flag; null: as OTEL_* say. */
  readonly otlpTracesEndpoint: string | null;
  readonly seed: number;
  readonly ranks: number;
  readonly promptTokensDetails: boolean;
  /** Off: no request finds blocks of another, and there is nothing to announce. */
  readonly prefixCaching: boolean;
  /** How long open requests may go on after SIGTERM. */
  readonly shutdownTimeoutMs: number;
}

export type ConfigResult =
  | { readonly kind: 'config'; readonly config: EngineSimConfig }
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'errors'; readonly errors: readonly string[] };

const DEFAULT_MAX_MODEL_LEN = 32_768;

function command(): Command {
  return new Command('engine-sim')
    .description('A vLLM stand-in: OpenAI HTTP, metrics and KV events in front of a step-based engine model')
    .option('--host <HOST>', 'address to listen on', '127.0.0.1')
    .option('--port <PORT>', 'port to listen on; 0 takes a free one', '8000')
    .option('--model <NAME>', 'served model name', 'sim')
    .option('--lora <NAME>', 'served LoRA adapter, repeatable', (name: string, all: string[]) => [...all, name], [])
    .option('--profile <ID>', PROFILE_IDS.join(' | '), 'llama-3.1-8b-h100')
    .option('--speed <FACTOR>', 'simulated time runs this many times faster', '1')
    .option('--tokenizer <DIR>', 'folder with tokenizer.json and tokenizer_config.json (default: an own small one)')
    .option('--block-size <TOKENS>', "tokens of a KV block (default: the profile's)")
    .option('--kv-blocks <N>', "KV blocks of each rank (default: the profile's memory)")
    .option('--max-num-seqs <N>', "sequences in one step (default: the profile's)")
    .option('--max-num-batched-tokens <N>', "tokens in one step (default: the profile's)")
    .option(
      '--max-model-len <TOKENS>',
      `longest context (default: ${DEFAULT_MAX_MODEL_LEN}, or what the KV cache holds)`,
    )
    .option(
      '--kv-events <ENDPOINT>',
      'publish KV events at this ZeroMQ address; binds when it has a * in it, as vLLM does, or bind:ADDRESS',
    )
    .option('--kv-events-replay <ENDPOINT>', 'bind the replay socket at this address')
    .option('--kv-events-topic <TOPIC>', 'topic of the KV events', '')
    .option('--kv-events-config <JSON>', 'the three above as vLLM takes them')
    .option('--kv-events-form <FORM>', 'map (vLLM since June 2026) | array (before)', 'map')
    .option('--api-key <KEY>', 'require this key for /v1')
    .option('--otlp-traces-endpoint <URL>', 'send a span of each request there (OTLP over HTTP); else as OTEL_* say')
    .option('--seed <N>', 'seed of the generated text', '0')
    .option('--data-parallel-size <N>', 'ranks behind the one port', '1')
    .option('--kv-events-clock-offset <SECONDS>', 'KV events tell the time as a clock that is wrong by so much', '0')
    .option('--no-enable-prefix-caching', 'compute every prompt as a whole')
    .option('--no-prompt-tokens-details', 'leave prompt_tokens_details out of usage')
    .option('--shutdown-timeout <SECONDS>', 'how long open requests may go on after SIGTERM', '0')
    .exitOverride()
    .configureOutput({ writeOut: () => {}, writeErr: () => {} })
    .allowUnknownOption()
    .allowExcessArguments();
}

/** Reads command-line arguments (without node and script). Reports every error at once. */
export function parseEngineSimConfig(argv: readonly string[]): ConfigResult {
  const program = command();
  try {
    program.parse([...argv], { from: 'user' });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'commander.helpDisplayed') {
      return { kind: 'help', text: program.helpInformation() };
    }
    return { kind: 'errors', errors: [error instanceof Error ? error.message.replace(/^error: /, '') : String(error)] };
  }
  const errors = program.args.map((argument) => `unknown argument '${argument}'`);
  const options = program.opts<Record<string, string | undefined>>();
  const loras = program.getOptionValue('lora') as string[];

  const number = (flag: string, text: string | undefined, accept: (value: number) => boolean, what: string): number => {
    const value = text === undefined || text.trim() === '' ? NaN : Number(text);
    if (!accept(value)) errors.push(`--${flag} must be ${what}, got '${text}'`);
    return value;
  };
  const count = (flag: string, text: string | undefined, fallback: number): number =>
    text === undefined
      ? fallback
      : number(flag, text, (v) => Number.isSafeInteger(v) && v > 0, 'a positive whole number');

  const profileId = PROFILE_IDS.find((id): id is ProfileId => id === options['profile']);
  if (profileId === undefined) {
    errors.push(`--profile must be one of ${PROFILE_IDS.join(', ')}, got '${options['profile']}'`);
  }
  const profile = PROFILES[profileId ?? 'llama-3.1-8b-h100'];
  const blockSize = count('block-size', options['blockSize'], profile.blockSize);
  const kvBlocks = count('kv-blocks', options['kvBlocks'], Math.floor(profile.kvTokens / blockSize));
  if (kvBlocks === 1) errors.push('--kv-blocks must be at least 2: one block is a placeholder');
  const capacityTokens = (kvBlocks - 1) * blockSize;
  const maxModelLen = count('max-model-len', options['maxModelLen'], Math.min(DEFAULT_MAX_MODEL_LEN, capacityTokens));
  if (maxModelLen > capacityTokens) {
    errors.push(`--max-model-len ${maxModelLen} is more than the ${capacityTokens} tokens that the KV cache holds`);
  }
  const model = options['model'] ?? '';
  const names = [model, ...loras];
  if (names.some((name) => name === '')) errors.push('--model and --lora need a name');
  if (new Set(names).size < names.length) errors.push('--model and --lora names must differ from each other');

  const ranks = count('data-parallel-size', options['dataParallelSize'], 1);
  const kvEvents = parseKvEvents(options, errors);
  if (ranks > 1 && kvEvents?.endpoint.startsWith('ipc:')) {
    errors.push('ipc addresses have no port to tell ranks apart: use tcp with --data-parallel-size');
  }

  const config: EngineSimConfig = {
    host: options['host'] ?? '',
    port: number('port', options['port'], (v) => Number.isInteger(v) && v >= 0 && v < 65_536, 'a port'),
    model,
    loras,
    profile,
    speed: number('speed', options['speed'], (v) => v > 0 && Number.isFinite(v), 'a positive number'),
    tokenizerDir: options['tokenizer'] ?? null,
    blockSize,
    kvBlocks,
    maxSeqs: count('max-num-seqs', options['maxNumSeqs'], profile.maxSeqs),
    maxBatchTokens: count('max-num-batched-tokens', options['maxNumBatchedTokens'], profile.maxBatchTokens),
    maxModelLen,
    kvEvents,
    apiKey: options['apiKey'] ?? null,
    otlpTracesEndpoint: options['otlpTracesEndpoint'] ?? null,
    seed: number('seed', options['seed'], Number.isSafeInteger, 'a whole number'),
    ranks,
    promptTokensDetails: program.getOptionValue('promptTokensDetails') !== false,
    prefixCaching: program.getOptionValue('enablePrefixCaching') !== false,
    shutdownTimeoutMs:
      1000 * number('shutdown-timeout', options['shutdownTimeout'], (v) => v >= 0, 'a number of seconds'),
  };
  return errors.length === 0 ? { kind: 'config', config } : { kind: 'errors', errors };
}

const KV_DEFAULTS = { bufferSteps: 10_000, highWaterMark: 100_000, maxQueueSize: 100_000 } as const;
const ADDRESS = /^(tcp|ipc|inproc):\/\/.+/;

function parseKvEvents(options: Readonly<Record<string, string | undefined>>, errors: string[]): KvEventsConfig | null {
  const form = options['kvEventsForm'];
  if (form !== 'map' && form !== 'array') errors.push(`--kv-events-form must be map or array, got '${form}'`);
  const shape = form === 'array' ? 'array' : 'map';
  const clockOffsetMs = 1000 * Number(options['kvEventsClockOffset']);
  if (!Number.isFinite(clockOffsetMs)) errors.push('--kv-events-clock-offset must be a number of seconds');
  const ours: Pick<KvEventsConfig, 'form' | 'clockOffsetMs'> = { form: shape, clockOffsetMs };
  const json = options['kvEventsConfig'];
  let config: KvEventsConfig | null;
  if (json !== undefined) {
    if (options['kvEvents'] !== undefined) errors.push('give either --kv-events or --kv-events-config');
    config = fromVllmJson(json, ours, errors);
  } else if (options['kvEvents'] === undefined) {
    if (options['kvEventsReplay'] !== undefined) errors.push('--kv-events-replay needs --kv-events');
    config = null;
  } else {
    const [, how, endpoint] = /^(bind:|connect:)?(.*)$/.exec(options['kvEvents'])!;
    config = {
      ...KV_DEFAULTS,
      endpoint: endpoint!,
      bind: how === undefined ? publisherBinds(endpoint!) : how === 'bind:',
      replayEndpoint: options['kvEventsReplay'] ?? null,
      topic: options['kvEventsTopic'] ?? '',
      ...ours,
    };
  }
  for (const address of config === null ? [] : [config.endpoint, config.replayEndpoint]) {
    if (address !== null && !ADDRESS.test(address)) {
      errors.push(`'${address}' is no ZeroMQ address (tcp://host:port, ipc://path)`);
    }
  }
  return config;
}

/** `--kv-events-config`: vLLM's field names and defaults. */
function fromVllmJson(
  json: string,
  ours: Pick<KvEventsConfig, 'form' | 'clockOffsetMs'>,
  errors: string[],
): KvEventsConfig | null {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    value = null;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    errors.push('--kv-events-config must be a JSON object');
    return null;
  }
  const fields = new Map<string, unknown>(Object.entries(value));
  const take = <T>(name: string, fallback: T, accepts: (v: unknown) => v is T, what: string): T => {
    const field = fields.get(name);
    fields.delete(name);
    if (field === undefined) return fallback;
    if (accepts(field)) return field;
    errors.push(`--kv-events-config: ${name} must be ${what}`);
    return fallback;
  };
  const isString = (v: unknown): v is string => typeof v === 'string';
  const isCount = (v: unknown): v is number => Number.isSafeInteger(v) && (v as number) > 0;
  const isNullableString = (v: unknown): v is string | null => v === null || typeof v === 'string';
  const enabled = take('enable_kv_cache_events', true, (v) => typeof v === 'boolean', 'true or false');
  const publisher = take<string | null>('publisher', 'zmq', isNullableString, '"zmq" or "null"');
  const endpoint = take('endpoint', 'tcp://*:5557', isString, 'an address');
  const config: KvEventsConfig = {
    endpoint,
    bind: publisherBinds(endpoint),
    replayEndpoint: take<string | null>('replay_endpoint', null, isNullableString, 'an address or null'),
    topic: take('topic', '', isString, 'a string'),
    bufferSteps: take('buffer_steps', KV_DEFAULTS.bufferSteps, isCount, 'a positive whole number'),
    highWaterMark: take('hwm', KV_DEFAULTS.highWaterMark, isCount, 'a positive whole number'),
    maxQueueSize: take('max_queue_size', KV_DEFAULTS.maxQueueSize, isCount, 'a positive whole number'),
    ...ours,
  };
  for (const name of fields.keys()) errors.push(`--kv-events-config: unknown field '${name}'`);
  return enabled && publisher !== 'null' ? config : null;
}
