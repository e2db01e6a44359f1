import { createLogger, openTracing, parseTracingConfig } from '@sluice/telemetry';
import { parseEngineSimConfig } from './config.ts';
import { startSimulator } from './start-simulator.ts';

const result = parseEngineSimConfig(process.argv.slice(2));
if (result.kind !== 'config') {
  const isHelp = result.kind === 'help';
  (isHelp ? console.log : console.error)(
    isHelp ? result.text : result.errors.map((e) => `engine-sim: ${e}`).join('\n'),
  );
  process.exit(isHelp ? 0 : 1);
}
const { config } = result;
const parsed = parseTracingConfig(
  config.otlpTracesEndpoint === null
    ? process.env
    : { ...process.env, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: config.otlpTracesEndpoint },
);
if (!parsed.ok) for (const error of parsed.errors) console.error(`engine-sim: ${error}`);
if (!parsed.ok) process.exit(1);
const logger = createLogger({ service: 'engine-sim', level: 'warn', write: (line) => process.stderr.write(line) });
// Who begins no trace may never be asked to go on with one; who does must not stand still in the midst of a run.
const exportOpens = parsed.config?.sampler === 'parentbased_always_off' ? 'with-first-span' : 'at-start';
const tracing = await openTracing('engine-sim', parsed.config, logger, exportOpens);
const simulator = await startSimulator(config, (error) => console.error('engine-sim:', error), tracing).catch(
  (error: unknown) => {
    console.error(`engine-sim: ${error instanceof Error ? error.message : String(error)}`);
    process.exit(1);
  },
);
const { url, kvEvents, replay } = simulator;
const { model, profile, speed, ranks } = config;
console.log(`engine-sim: ${model} (${profile.title}) at ${url}, ${ranks} rank(s), time runs ${speed} x`);
console.log(JSON.stringify({ ready: true, name: model, url, kvEvents, replay, pid: process.pid, speed }));

const stop = (): void => {
  void simulator.close().then(() => process.exit(0));
};
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, stop);
// A supervisor that dies closes the channel it started us with.
process.once('disconnect', stop);
